// What is drawn: nodes and edges out of records. Pure.
import { plural, known } from '../format.js';

// siteModel: sites are nodes, silent the set of those that say nothing; the links between two of them are one edge. A
// link whose other end is not known ends at a small open node, so that a link
// that never came up is seen as well.
export function siteModel(sites, links, silent) {
  const nodes = sites.map((s) => ({ id: s.identity, name: s.name, kind: s.platform, state: silent.has(s.identity) ? 'silent' : 'good', note: `${known(s.platform)} ${known(s.version)}`, many: s.routerCount > 1, up: 0, down: 0 }));
  const by = new Map(nodes.map((n) => [n.id, n]));
  const edges = new Map();
  for (const link of links) {
    const from = by.get(link.sourceSiteId);
    if (!from || link.destinationSiteId === link.sourceSiteId) continue;
    let to = by.get(link.destinationSiteId);
    if (!to && link.destinationSiteId) continue; // a site that is not shown
    if (!to) {
      to = { id: `open:${link.identity}`, name: link.name, state: 'open', note: 'other end not known', up: 0, down: 0 };
      by.set(to.id, to);
      nodes.push(to);
    }
    const key = [from.id, to.id].sort().join('\n');
    const edge = edges.get(key) ?? { id: key, source: from.id, target: to.id, links: [], up: 0 };
    edge.links.push(link);
    if (link.status === 'up') edge.up++;
    edges.set(key, edge);
    for (const node of [from, to]) node[link.status === 'up' ? 'up' : 'down']++;
  }
  for (const edge of edges.values()) {
    edge.state = edge.up === edge.links.length ? 'up' : edge.up === 0 ? 'down' : 'part';
    edge.label = edge.links.map(linkLabel).join('\n');
  }
  for (const node of nodes) node.label = siteLabel(node);
  return { nodes, edges: [...edges.values()] };
}

function linkLabel(link) {
  const end = link.destinationSiteName ?? 'other end not known';
  const why = link.status === 'up' || !link.reason ? '' : `: ${link.reason}`;
  return `${link.name}, ${link.sourceSiteName} to ${end}, ${link.status}${why}`;
}

// What is read aloud of a node begins with what is written beside it.
function siteLabel(node) {
  if (node.state === 'open') return `${node.name}, a link of which the other end is not known`;
  const links = [node.up && `${plural(node.up, 'link')} up`, node.down && `${plural(node.down, 'link')} down`].filter(Boolean);
  return [`${node.name} ${node.note}`, 'a site', ...(links.length ? links : ['no links']), node.state === 'silent' && 'its routers are silent'].filter(Boolean).join(', ');
}

// silentSites are the sites of which no source says anything while some should.
export function silentSites(sources) {
  const alive = new Set();
  const all = new Set();
  for (const s of sources) {
    if (!s.siteId || s.siteId === 'unknown') continue;
    all.add(s.siteId);
    if (s.state === 'live' || s.state === 'new') alive.add(s.siteId);
  }
  return new Set([...all].filter((id) => !alive.has(id)));
}

// pairModel: components or processes are nodes; the pairs of one client and one
// server, of whatever protocol, are one edge with a direction. Those that talk
// come first; room is how many nodes there may be.
export function pairModel(records, pairs, word, room) {
  const known = new Map(records.map((r) => [r.identity, r]));
  const by = new Map();
  const edges = new Map();
  const node = (id, name, note, kind) => {
    if (by.has(id)) return by.get(id);
    if (by.size >= room) return undefined;
    const r = known.get(id);
    const made = { id, name, kind: r?.role ?? kind, state: 'good', note: r?.siteName ?? note ?? (r ? plural(r.processCount ?? 0, 'process', 'processes') : ''), in: 0, out: 0 };
    by.set(id, made);
    return made;
  };
  for (const p of pairs) {
    const from = node(p.sourceId, p.sourceName, p.sourceSiteName, 'remote');
    const to = node(p.destinationId, p.destinationName, p.destinationSiteName, 'internal');
    if (!from || !to || from === to) continue;
    const key = `${from.id}\n${to.id}`;
    const edge = edges.get(key) ?? { id: key, source: from.id, target: to.id, protocols: new Set(), state: 'flow', arrow: true };
    if (!edges.has(key)) {
      from.out++;
      to.in++;
    }
    edge.protocols.add(p.protocol);
    edge.label = `${from.name} to ${to.name}, ${[...edge.protocols].join(', ')}`;
    edges.set(key, edge);
  }
  for (const r of records) node(r.identity, r.name);
  for (const n of by.values()) n.label = `${n.name} ${n.note}, a ${word.toLowerCase()}, client of ${n.out}, server of ${n.in}`;
  return { nodes: [...by.values()], edges: [...edges.values()] };
}
