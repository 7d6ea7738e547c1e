// The drawing: zoom and pan with pointer, wheel and keys; nodes are links that
// the arrow keys walk between. All that it shows stands in tables below it too.
import { html, useState, useEffect, useLayoutEffect, useRef, useMemo } from '../html.js';
import { Icon } from '../icon.js';
import { place, bounds, crowded } from './layout.js';

const remembered = new Map(); // places by the name of the map, while the console is open

// NetworkMap draws {nodes, edges}; name keeps its places apart from those of others.
export function NetworkMap({ model, name, label, chosen, choose }) {
  const frame = useRef();
  const size = useSize(frame);
  const places = useMemo(() => {
    if (!remembered.has(name)) remembered.set(name, new Map());
    return remembered.get(name);
  }, [name]);
  useMemo(() => size && place(model, places, size.w / size.h), [model, places, !size]);
  useEffect(() => void (size && performance.mark('map-drawn')), [!size]); // for whoever measures the first paint
  const whole = bounds(size ? model.nodes : []);
  const [view, setView] = useState(null); // null: all of it
  useEffect(() => setView(null), [name]);
  const shown = view ?? fit(whole, size);
  const camera = useCamera(frame, shown, setView, size);
  const at = model.nodes.some((n) => n.id === chosen) ? chosen : model.nodes[0]?.id;
  const by = new Map(model.nodes.map((n) => [n.id, n]));
  const many = crowded(model.nodes);
  const scale = size ? size.w / shown.w : 1;
  const zoom = Math.min(many ? 1.3 : 1.6, Math.max(1, 0.9 / scale)); // what is written stays readable from afar
  const walk = (e) => {
    const next = neighbourIn(e.key, by.get(e.currentTarget.dataset.node), model.nodes);
    if (!next) return;
    e.preventDefault();
    frame.current.querySelector(`[data-node="${CSS.escape(next.id)}"]`)?.focus();
  };
  return html`<div class="map" ref=${frame}>
    <svg role="group" aria-label=${label} class=${many ? 'many' : ''} viewBox="${shown.x} ${shown.y} ${shown.w} ${shown.h}" ...${camera.handlers}>
      <defs><marker id="arrow" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto-start-reverse"><path d="M0 .5 7.500 4 0 7.500z" /></marker></defs>
      ${size && html`<g class="edges">${model.edges.map((e) => html`<${Edge} key=${e.id} edge=${e} room=${(many ? 14 : 20) * zoom} from=${by.get(e.source)} to=${by.get(e.target)} dim=${chosen && by.has(chosen) && e.source !== chosen && e.target !== chosen} />`)}</g>
      <g class="nodes">${model.nodes.map((n) => html`<${Node} key=${n.id} node=${n} chosen=${n.id === chosen} stop=${n.id === at} small=${many} zoom=${zoom} choose=${choose} walk=${walk} />`)}</g>`}
    </svg>
    <div class="map-tools" role="group" aria-label="View of the map">
      <button type="button" class="round" aria-label="Zoom in" title="Zoom in" onClick=${() => camera.zoom(1 / 1.4)}><${Icon} name="plus" /></button>
      <button type="button" class="round" aria-label="Zoom out" title="Zoom out" onClick=${() => camera.zoom(1.4)}><${Icon} name="minus" /></button>
      <button type="button" class="round" aria-label="Show all" title="Show all" onClick=${() => setView(null)}><${Icon} name="fit" /></button>
    </div>
  </div>`;
}

const glyphs = {
  kubernetes: 'M0-6 5.200-3v6L0 6-5.200 3v-6zM0-2.200v4.400M-2 0h4',
  podman: 'M-5-4.500H5v9H-5zM-1.700-4.500v9M1.700-4.500v9',
  docker: 'M-6-1h12v5.500H-6zM-3.500-1v-3.500h3.500V-1M0-1v-3.500h3.500V-1',
  linux: 'M-5.500-5h11v7.500h-11zM-2.500 5.500h5M0 2.500v3M-3-2.500l2 1.500-2 1.500',
  external: 'M0-5.500a5.500 5.500 0 1 0 0 11 5.500 5.500 0 0 0 0-11ZM-5.500 0h11M0-5.500c-3 3.500-3 7.500 0 11M0-5.500c3 3.500 3 7.500 0 11',
  remote: 'M-5.500-3.500H5.500V3.500H-5.500zM-3 0h.010M0 0h.010M3 0h.010',
  internal: 'M-4.500-4.500h9v9h-9zM-1.500-1.500h3v3h-3z',
};

function Node({ node, chosen, stop, small, zoom, choose, walk }) {
  const open = node.state === 'open';
  const r = open ? 7 : small ? 11 : 17;
  const name = node.name.length > 30 ? node.name.slice(0, 29) + '…' : node.name;
  const pick = (e) => {
    e.preventDefault();
    choose(node.id);
  };
  const key = (e) => (e.key === 'Enter' || e.key === ' ' ? pick(e) : walk(e));
  return html`<g role="button" class="node ${node.state} ${chosen ? 'chosen' : ''}" tabindex=${stop ? 0 : -1} data-node=${node.id}
    aria-label=${node.label} aria-pressed=${chosen} transform="translate(${node.x} ${node.y}) scale(${zoom})" onClick=${pick} onKeyDown=${key}>
    <circle class="halo" r=${r + 6} />
    ${node.many && html`<circle class="behind" r=${r} cx="4" cy="-3" />`}
    <circle class="body" r=${r} />
    ${!open && html`<path class="glyph" d=${glyphs[node.kind] ?? glyphs.linux} />`}
    ${node.state === 'silent' && html`<g class="mark bad" transform="translate(${r * 0.75} ${r * -0.75})"><rect x="-6" y="-6" width="12" height="12" rx="2" /><path d="M-2.500-2.500l5 5M2.500-2.500l-5 5" /></g>`}
    ${node.state === 'good' && node.down > 0 && html`<g class="mark warn" transform="translate(${r * 0.75} ${r * -0.75})"><path d="M0-7 7 6H-7z" /><path class="stroke" d="M0-2v3.500M0 3.800v.010" /></g>`}
    <text class="name" y=${r + 13}>${name}</text>${' '}
    ${!open && !small && html`<text class="note" y=${r + 27}>${node.note}</text>`}
  </g>`;
}

function Edge({ edge, from, to, dim, room }) {
  const [dx, dy] = [to.x - from.x, to.y - from.y];
  const length = Math.hypot(dx, dy) || 1;
  const stop = edge.arrow ? Math.min(0.5, room / length) : 0;
  const [x2, y2] = [to.x - dx * stop, to.y - dy * stop];
  const [mx, my] = [from.x + dx / 2, from.y + dy / 2];
  return html`<g class="edge ${edge.state} ${dim ? 'dim' : ''}"><title>${edge.label}</title>
    <line class="hit" x1=${from.x} y1=${from.y} x2=${to.x} y2=${to.y} />
    <line class="line" x1=${from.x} y1=${from.y} x2=${x2} y2=${y2} marker-end=${edge.arrow ? 'url(#arrow)' : undefined} />
    ${edge.state === 'down' && html`<g class="mark bad" transform="translate(${mx} ${my})"><rect x="-7" y="-7" width="14" height="14" rx="2" /><path d="M-3-3l6 6M3-3l-6 6" /></g>`}
    ${edge.state === 'part' && html`<g class="mark warn" transform="translate(${mx} ${my})"><path d="M0-7 7 6H-7z" /><path class="stroke" d="M0-2v3.500M0 3.800v.010" /></g>`}
  </g>`;
}

// neighbourIn is the nearest node in the direction of an arrow key.
function neighbourIn(key, from, nodes) {
  const way = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[key];
  if (!way) return undefined;
  let best;
  let least = Infinity;
  for (const n of nodes) {
    const [dx, dy] = [n.x - from.x, n.y - from.y];
    const along = dx * way[0] + dy * way[1];
    const aside = Math.abs(dx * way[1]) + Math.abs(dy * way[0]);
    if (n === from || along <= 0) continue;
    const cost = along + 2.5 * aside;
    if (cost < least) [best, least] = [n, cost];
  }
  return best;
}

// fit is the part of the plane that shows the box whole, in the shape of the
// frame, and never larger than life.
function fit(box, size) {
  if (!size) return box;
  const scale = Math.min(1.15, size.w / box.w, size.h / box.h);
  const [w, h] = [size.w / scale, size.h / scale];
  return { x: box.x + box.w / 2 - w / 2, y: box.y + box.h / 2 - h / 2, w, h };
}

function useSize(ref) {
  const [size, setSize] = useState(null);
  useLayoutEffect(() => {
    const read = () => {
      const { width: w, height: h } = ref.current.getBoundingClientRect();
      if (w > 0 && h > 0) setSize((was) => (was && was.w === w && was.h === h ? was : { w, h }));
    };
    read();
    const observer = new ResizeObserver(read);
    observer.observe(ref.current);
    return () => observer.disconnect();
  }, []);
  return size;
}

// useCamera moves the view. The wheel zooms only with Ctrl or ⌘, or it would
// take the scrolling of the page.
function useCamera(frame, shown, setView, size) {
  const drag = useRef(null);
  const latest = useRef();
  latest.current = shown;
  const zoom = (factor, at) => {
    const v = latest.current;
    const limit = size ? Math.min(Math.max(v.w * factor, size.w / 4), size.w * 12) / v.w : factor;
    const [cx, cy] = at ?? [0.5, 0.5];
    setView({ x: v.x + v.w * cx * (1 - limit), y: v.y + v.h * cy * (1 - limit), w: v.w * limit, h: v.h * limit });
  };
  useEffect(() => {
    const wheel = (e) => {
      if (!e.ctrlKey && !e.metaKey) return;
      e.preventDefault();
      const box = frame.current.getBoundingClientRect();
      zoom(Math.exp(e.deltaY / 300), [(e.clientX - box.left) / box.width, (e.clientY - box.top) / box.height]);
    };
    const el = frame.current;
    el.addEventListener('wheel', wheel, { passive: false });
    return () => el.removeEventListener('wheel', wheel);
  }, [size]);
  const handlers = {
    onPointerDown: (e) => {
      if (e.button === 0 && e.pointerType !== 'touch' && !e.target.closest('.node')) drag.current = { x: e.clientX, y: e.clientY, view: latest.current };
      if (drag.current) e.currentTarget.setPointerCapture(e.pointerId);
    },
    onPointerMove: (e) => {
      const d = drag.current;
      if (!d || !size) return;
      const scale = d.view.w / size.w;
      setView({ ...d.view, x: d.view.x - (e.clientX - d.x) * scale, y: d.view.y - (e.clientY - d.y) * scale });
    },
    onPointerUp: () => { drag.current = null; },
    onPointerCancel: () => { drag.current = null; },
  };
  return { zoom, handlers };
}
