// Where nodes stand. The layout is worked out before it is drawn: a map that
// wobbles is hard to read. Nodes keep their place while others come and go.
import { forceSimulation, forceManyBody, forceLink, forceX, forceY, forceCollide } from '../../vendor/d3-force.mjs';

const crowd = 40; // nodes; beyond it they are drawn small, and names stand close

export const crowded = (nodes) => nodes.length > crowd;

// place gives each node x and y. places remembers them by id between calls;
// shape is the width of the drawing by its height.
export function place({ nodes, edges }, places, shape) {
  let fresh = 0;
  for (const n of nodes) {
    const was = places.get(n.id);
    if (was) Object.assign(n, was);
    else fresh++;
  }
  if (fresh === 0) return;
  const neighbour = new Map(edges.flatMap((e) => [[e.source, e.target], [e.target, e.source]]));
  for (const n of nodes) {
    const beside = n.x === undefined && places.get(neighbour.get(n.id));
    if (beside) Object.assign(n, { x: beside.x + 40, y: beside.y + 25 });
  }
  settle(nodes, edges, fresh < nodes.length, shape);
  places.clear();
  for (const n of nodes) places.set(n.id, { x: n.x, y: n.y });
}

// settle lets nodes push and links pull until they rest.
function settle(nodes, edges, some, shape) {
  const many = crowded(nodes);
  const linked = new Set(edges.flatMap((e) => [e.source, e.target]));
  const hold = (n) => (linked.has(n.id) ? 0.05 : 0.11);
  const room = (n) => (many ? 24 : 42) + Math.min(n.name.length, 20) * (many ? 1.1 : 1.5);
  const ticks = Math.max(60, Math.min(220, Math.round(12000 / (nodes.length + 1))));
  const simulation = forceSimulation(nodes)
    .force('charge', forceManyBody().strength(many ? -260 : -700).distanceMax(many ? 600 : 320))
    .force('link', forceLink(edges.map((e) => ({ source: e.source, target: e.target }))).id((n) => n.id).distance(many ? 60 : 110).strength(many ? 0.35 : 0.5))
    .force('x', forceX().strength(hold))
    .force('y', forceY().strength(hold))
    .force('collide', forceCollide(room).iterations(2))
    .alpha(some ? 0.3 : 1)
    .alphaDecay(1 - 0.002 ** (1 / ticks))
    .stop();
  for (let i = 0; i < ticks; i++) simulation.tick();
  if (some) return;
  turn(nodes, shape);
  const stretch = many ? Math.min(1.35, Math.max(0.75, Math.sqrt(shape))) : 1;
  for (const n of nodes) [n.x, n.y] = [n.x * stretch, n.y / stretch];
}

// turn lays the longest extent of the nodes along the longer side of the
// drawing.
function turn(nodes, shape) {
  const [mx, my] = ['x', 'y'].map((axis) => nodes.reduce((sum, n) => sum + n[axis], 0) / nodes.length);
  let [xx, xy, yy] = [0, 0, 0];
  for (const { x, y } of nodes) {
    xx += (x - mx) ** 2;
    xy += (x - mx) * (y - my);
    yy += (y - my) ** 2;
  }
  const angle = (shape >= 1 ? 0 : Math.PI / 2) - Math.atan2(2 * xy, xx - yy) / 2;
  const [cos, sin] = [Math.cos(angle), Math.sin(angle)];
  for (const n of nodes) {
    const [dx, dy] = [n.x - mx, n.y - my];
    [n.x, n.y] = [dx * cos - dy * sin, dx * sin + dy * cos];
  }
}

// bounds is the box that holds all nodes with their names.
export function bounds(nodes) {
  if (nodes.length === 0) return { x: -200, y: -150, w: 400, h: 300 };
  const xs = nodes.map((n) => n.x);
  const ys = nodes.map((n) => n.y);
  const [left, right, top, bottom] = [Math.min(...xs) - 75, Math.max(...xs) + 75, Math.min(...ys) - 45, Math.max(...ys) + 80];
  return { x: left, y: top, w: right - left, h: bottom - top };
}
