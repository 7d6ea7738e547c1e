// The network as a map: sites and links, or who talks to whom.
import { html, useMemo } from '../html.js';
import { useRoute, setParams, href } from '../route.js';
import { useList, useOne } from '../query.js';
import { useSilentSites, useHeard } from '../liveness.js';
import { Filters, chosen } from '../filters.js';
import { NetworkMap } from '../map/map.js';
import { siteModel, pairModel } from '../map/model.js';
import { Badge } from '../badge.js';
import { Empty, Problem, Loading } from '../notice.js';
import { Ago } from '../time.js';
import { Heading, Tabs, useTab } from './shape.js';
import { LinkTable, LinkState, whyDown } from './links.js';
import { PairTable } from './pairs.js';
import { count, known, plural } from '../format.js';
import { segment } from '../api.js';

const views = [['sites', 'Sites'], ['components', 'Components'], ['processes', 'Processes']];
const most = { nodes: 150, edges: 600, chosen: 80 }; // more cannot be read, and is not asked for

export function Page() {
  const view = useTab(views, 'view');
  return html`<${Heading} title="Network"><${Tabs} of=${views} label="What the map shows" param="view" /><//>
    <${Totals} />
    ${view === 'sites' ? html`<${SitesView} />` : html`<${PairsView} key=${view} kind=${view} />`}`;
}

function Totals() {
  const all = { limit: 0, state: 'active' };
  const sites = useList('sites', all);
  const up = useList('routerlinks', { ...all, status: 'up' });
  const down = useList('routerlinks', { ...all, status: 'down' });
  const services = useList('services', { ...all, hasListener: true });
  const open = useList('connections', all);
  const of = [
    ['Sites', sites, href(['sites'])],
    ['Links up', up, href(['network'], { status: 'up' })],
    ['Links down', down, href(['network'], { status: 'down' }), down.total > 0 && html`<${Badge} kind="bad">Check<//>`],
    ['Services', services, href(['services'])],
    ['Open connections', open, href(['connections'], { state: 'active' })],
  ];
  return html`<ul class="totals" aria-label="The network in numbers">${of.map(([name, list, to, mark]) => html`<li key=${name} class="card"><a href=${to}><span class="total">${list.first ? '–' : count(list.total)}</span><span>${name}</span></a>${mark}</li>`)}</ul>`;
}

const siteFields = [
  { key: 'name', label: 'Site name starts with', hint: 'west' },
  { key: 'status', label: 'Links in the table', options: [['', 'All'], ['up', 'Up'], ['down', 'Down']] },
];

function SitesView() {
  const { params } = useRoute();
  const name = params.get('name') ?? '';
  const sites = useList('sites', { state: 'active', name, sortBy: 'name.asc', limit: most.nodes });
  const links = useList('routerlinks', { state: 'active', limit: most.edges, sortBy: 'status.asc' });
  const silent = useSilentSites();
  const model = useMemo(() => siteModel(sites.rows, links.rows, silent), [sites.rows, links.rows, [...silent].join()]);
  const picked = params.get('site');
  return html`
    <${Filters} fields=${siteFields} />
    <${Drawn} what="sites" lists=${[sites, links]} model=${model} name="sites" picked=${picked} choose=${(id) => setParams({ site: id === picked ? '' : id })}
      label="Map of the sites and their links. The table below says the same."
      empty=${html`<${Empty} title=${name ? 'No site has a name like this' : 'No site is known yet'}>${name ? 'Names are compared from their first letter, capitals included.' : 'Sites appear within seconds of the observer reaching a router of the network. Event sources shows what has been heard.'}<//>`}
      side=${picked && html`<${SitePanel} key=${picked} id=${picked} node=${model.nodes.find((n) => n.id === picked)} links=${links.rows} />`}
      legend=${html`<${Badge} kind="good">up<//><${Badge} kind="warn">some links down<//><${Badge} kind="bad">down, or silent<//><${Badge} kind="idle">other end not known<//>`} />
    <${LinkTable} params=${{ status: params.get('status') ?? '' }} caption="Links" />`;
}

function Drawn({ what, lists, model, name, picked, choose, label, empty, side, legend }) {
  const error = lists.find((l) => l.error)?.error;
  const first = lists.some((l) => l.first);
  const [nodes, edges] = lists;
  return html`<section class="card" aria-label="Map">
    ${error && html`<${Problem} error=${error} />`}
    ${first ? html`<${Loading} what="the map" />` : model.nodes.length === 0 ? !error && empty : html`<div class=${side ? 'map-and-side' : ''}>
      <${NetworkMap} model=${model} name=${name} label=${label} chosen=${picked} choose=${choose} />${side}</div>`}
    <div class="legend">${legend}${(nodes.total > most.nodes || edges.total > most.edges) && html`<p class="muted">Drawn: ${count(model.nodes.length)} of ${count(nodes.total)} ${what}. Filter to see the rest.</p>`}</div>
  </section>`;
}

function SitePanel({ id, node, links }) {
  const { record, error } = useOne(`sites/${segment(id)}`);
  const heard = useHeard([id]).get(id);
  const theirs = links.filter((l) => l.sourceSiteId === id || l.destinationSiteId === id || `open:${l.identity}` === id);
  const title = record?.name ?? node?.name ?? 'Site';
  return html`<aside class="side" aria-label="About ${title}">
    <div class="side-head"><h2>${title}</h2><button type="button" class="link" onClick=${() => setParams({ site: '' })}>Close</button></div>
    ${record && html`<dl class="facts compact">
      <div><dt>Platform</dt><dd>${known(record.platform)}</dd></div>
      <div><dt>Version</dt><dd>${known(record.version)}</dd></div>
      <div><dt>Routers</dt><dd>${count(record.routerCount)}</dd></div>
      <div><dt>Last heard</dt><dd>${heard ? html`<${Ago} us=${heard.last} />` : '–'}</dd></div>
    </dl>`}
    ${error && !node && html`<p class="muted">${error.message}</p>`}
    <h3>${plural(theirs.length, 'link')}</h3>
    <ul class="side-links">${theirs.map((l) => html`<li key=${l.identity}><${LinkState} status=${l.status} /> <span>${l.sourceSiteId === id ? html`to <b>${l.destinationSiteName ?? 'not known'}</b>` : html`from <b>${l.sourceSiteName}</b>`} <span class="muted">${l.name}</span></span>
      ${l.status !== 'up' && html`<p class="error-text">${whyDown(l)}</p>`}</li>`)}</ul>
    ${record && html`<p><a class="go" href=${href(['sites', id])}>Open the site</a></p>`}
  </aside>`;
}

const kinds = {
  components: { word: 'Component', pairs: 'componentpairs', fields: [{ key: 'name', label: 'Component name starts with' }] },
  processes: {
    word: 'Process', pairs: 'processpairs',
    fields: [{ key: 'name', label: 'Process name starts with' }, { key: 'siteName', label: 'Site name starts with' }, { key: 'services', label: 'Service', hint: 'exact name' }],
  },
};

function PairsView({ kind }) {
  const { params } = useRoute();
  const { word, pairs, fields } = kinds[kind];
  const narrowed = fields.some((f) => params.get(f.key));
  const records = useList(kind, { state: 'active', ...chosen(params, fields), sortBy: 'name.asc', limit: most.nodes });
  // Of those that a filter chooses, whoever they talk to is drawn as well.
  const ids = narrowed ? records.rows.map((r) => r.identity).slice(0, most.chosen) : [];
  const all = useList(narrowed ? null : pairs, { state: 'active', limit: most.edges });
  const out = useList(ids.length ? pairs : null, { state: 'active', limit: most.edges, sourceId: ids });
  const into = useList(ids.length ? pairs : null, { state: 'active', limit: most.edges, destinationId: ids });
  const between = [...all.rows, ...out.rows, ...into.rows];
  const model = useMemo(() => pairModel(records.rows, between, word, most.nodes), [records.rows, all.rows, out.rows, into.rows]);
  const picked = params.get('node');
  return html`
    <${Filters} fields=${fields} />
    <${Drawn} what=${kind} lists=${[records, narrowed ? out : all]} model=${model} name=${kind} picked=${picked} choose=${(id) => setParams({ node: id === picked ? '' : id })}
      label="Map of the ${kind} and who talks to whom. The table below says the same."
      empty=${html`<${Empty} title=${narrowed ? `No ${kind} match` : `No ${kind} are known yet`}>${narrowed ? 'Names are compared from their first letter, capitals included.' : 'They appear with the first connection to a service.'}<//>`}
      side=${picked && html`<${PairPanel} kind=${kind} node=${model.nodes.find((n) => n.id === picked)} model=${model} />`}
      legend=${html`<p class="muted">An arrow leads from a client to its server.</p>`} />
    <${PairTable} path=${pairs} caption=${`${word} pairs`} />`;
}

function PairPanel({ kind, node, model }) {
  if (!node) return null;
  const name = (id) => model.nodes.find((n) => n.id === id).name;
  const clients = model.edges.filter((e) => e.target === node.id);
  const servers = model.edges.filter((e) => e.source === node.id);
  const list = (title, edges, end) => html`<h3>${title}</h3>${edges.length === 0 ? html`<p class="muted">none</p>` : html`<ul class="side-links">${edges.map((e) => html`<li key=${e.id}><span><b>${name(e[end])}</b> <span class="muted">${[...e.protocols].join(', ')}</span></span></li>`)}</ul>`}`;
  return html`<aside class="side" aria-label="About ${node.name}">
    <div class="side-head"><h2>${node.name}</h2><button type="button" class="link" onClick=${() => setParams({ node: '' })}>Close</button></div>
    <p class="muted">${node.note}</p>
    ${list('Clients', clients, 'source')}${list('Servers', servers, 'target')}
    <p><a class="go" href=${href([kind, node.id])}>Open</a></p>
  </aside>`;
}
