// Tables of the links between sites.
import { html } from '../html.js';
import { ServerTable } from '../table.js';
import { Badge } from '../badge.js';
import { Age } from '../time.js';
import { SiteLink } from './link.js';
import { bytes, count, known } from '../format.js';
import { Empty } from '../notice.js';

export const LinkState = ({ status }) => (status === 'up' ? html`<${Badge} kind="good">Up<//>` : html`<${Badge} kind="bad">Down<//>`);

export function whyDown(link) {
  const { result = '', reason = '' } = link;
  if (reason) return result && !reason.includes(result) ? `${result}: ${reason}` : reason;
  if (result) return result;
  return link.status === 'up' ? '–' : 'no reason given yet';
}

const columns = [
  { key: 'name', label: 'Link', sort: 'name', cell: (l) => html`<span class="strong">${l.name}</span>` },
  { key: 'status', label: 'Status', sort: 'status', cell: (l) => html`<${LinkState} status=${l.status} />` },
  { key: 'from', label: 'From', sort: 'sourceSiteName', cell: (l) => html`<${SiteLink} id=${l.sourceSiteId} name=${l.sourceSiteName} />` },
  { key: 'to', label: 'To', sort: 'destinationSiteName', cell: (l) => (l.destinationSiteId ? html`<${SiteLink} id=${l.destinationSiteId} name=${l.destinationSiteName} />` : html`<span class="muted">${l.destHost ? `${l.destHost}:${l.destPort}` : 'not known'}</span>`) },
  { key: 'role', label: 'Role', sort: 'role', whole: true, cell: (l) => known(l.role) },
  { key: 'cost', label: 'Cost', sort: 'cost', number: true, cell: (l) => count(l.cost) },
  { key: 'since', label: 'For', sort: 'since', newest: true, cell: (l) => html`<${Age} us=${l.since || l.startTime} />` },
  { key: 'flaps', label: 'Went down', sort: 'downCount', number: true, cell: (l) => (l.downCount === undefined ? '–' : `${count(l.downCount)}×`) },
  { key: 'out', label: 'Sent', sort: 'octetCount', number: true, cell: (l) => bytes(l.octetCount) },
  { key: 'in', label: 'Received', sort: 'octetReverseCount', number: true, cell: (l) => bytes(l.octetReverseCount) },
  { key: 'why', label: 'Last error', wide: true, cell: (l) => html`<span class=${l.status === 'up' ? 'muted' : 'error-text'}>${whyDown(l)}</span>` },
];

// LinkTable lists the links that match params.
export function LinkTable({ id, params, caption, empty }) {
  return html`<${ServerTable} id=${id} path="routerlinks" params=${{ state: 'active', ...params }} caption=${caption} sort="status.asc"
    columns=${columns} empty=${empty ?? html`<${Empty} title="No links">Sites that are linked show their links here: <code>skupper link generate</code> on one, <code>skupper system apply</code> on the other.<//>`} />`;
}
