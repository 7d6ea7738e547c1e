// Who tells the observer what, and who has stopped.
import { html } from '../html.js';
import { useRoute } from '../route.js';
import { useList } from '../query.js';
import { ServerTable } from '../table.js';
import { Filters, chosen } from '../filters.js';
import { always } from '../liveness.js';
import { Badge } from '../badge.js';
import { Empty } from '../notice.js';
import { Ago } from '../time.js';
import { Heading } from './shape.js';
import { SiteLink } from './link.js';
import { count, known, micros } from '../format.js';

const states = { live: ['good', 'Live'], new: ['note', 'New'], silent: ['warn', 'Silent'], gone: ['bad', 'Gone'] };

function State({ of: s }) {
  const [kind, text] = states[s.state] ?? ['idle', known(s.state)];
  return html`<${Badge} kind=${kind}>${text}<//>`;
}

const columns = [
  { key: 'name', label: 'Source', sort: 'name', cell: (s) => known(s.name) === '–' ? s.identity : s.name },
  { key: 'type', label: 'Kind', sort: 'type', cell: (s) => ({ ROUTER: 'Router', CONTROLLER: 'Site' })[s.type] ?? known(s.type) },
  { key: 'state', label: 'State', sort: 'state', cell: (s) => html`<${State} of=${s} />` },
  { key: 'site', label: 'Site', cell: (s, sites) => html`<${SiteLink} id=${s.siteId} name=${sites.get(s.siteId) ?? s.siteId} />` },
  { key: 'heard', label: 'Last heard', sort: 'lastHeard', newest: true, cell: (s) => html`<${Ago} us=${s.lastHeard} />` },
  { key: 'beat', label: 'Last heartbeat', sort: 'lastHeartbeat', newest: true, cell: (s) => html`<${Ago} us=${s.lastHeartbeat} />` },
  { key: 'records', label: 'Records', sort: 'records', number: true, cell: (s) => count(s.records) },
  { key: 'flows', label: 'Live flows', sort: 'flows', number: true, cell: (s) => count(s.flows) },
  { key: 'lost', label: 'Messages lost', sort: 'lost', number: true, cell: (s) => count(s.lost) },
  { key: 'skew', label: 'Clock', sort: 'clockSkew', number: true, cell: (s) => skew(s.clockSkew) },
];

function skew(us) {
  if (us === undefined || us === null) return '–';
  if (Math.abs(us) < 1_000_000) return 'right';
  return `${micros(Math.abs(us))} ${us > 0 ? 'ahead' : 'behind'}`;
}

// useSiteNames is the names of the sites that the rows belong to.
function useSiteNames(rows) {
  const ids = [...new Set(rows.map((s) => s.siteId).filter((id) => known(id) !== '–'))];
  const { rows: sites } = useList(ids.length ? 'sites' : null, { state: 'active', identity: ids, limit: ids.length });
  return new Map(sites.map((s) => [s.identity, s.name]));
}

export function SourceTable({ id, params, without = [], caption = 'Event sources' }) {
  return html`<${ServerTable} id=${id} path="sources" params=${{ ...always, ...params }} caption=${caption} sort="lastHeard.asc" columns=${columns.filter((c) => !without.includes(c.key))} useMore=${useSiteNames}
    empty=${html`<${Empty} title="Nothing has been heard">The observer hears routers and sites through the router that it is attached to. <code>skupper system network-observer status</code> says whether that is so.<//>`} />`;
}

const fields = [
  { key: 'type', label: 'Kind', options: [['', 'All'], ['ROUTER', 'Routers'], ['CONTROLLER', 'Sites']] },
  { key: 'name', label: 'Name starts with' },
];

export function Page() {
  const { params } = useRoute();
  return html`<${Heading} title="Event sources" lead="A router says every 2 s that it is alive. What a source that is gone was the only one to know has been forgotten." />
    <${Filters} fields=${fields} /><${SourceTable} params=${chosen(params, fields)} />`;
}
