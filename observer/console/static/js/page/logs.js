// What routers have written to their logs: warnings and worse.
import { html } from '../html.js';
import { useRoute } from '../route.js';
import { ServerTable } from '../table.js';
import { Filters, chosen } from '../filters.js';
import { always } from '../liveness.js';
import { Badge } from '../badge.js';
import { Empty } from '../notice.js';
import { Heading } from './shape.js';
import { SiteLink } from './link.js';
import { at, known } from '../format.js';

const kinds = { debug: 'idle', info: 'note', warning: 'warn', error: 'bad', critical: 'bad' };

const columns = [
  { key: 'at', label: 'Time', sort: 'startTime', newest: true, whole: true, cell: (l) => at(l.startTime) },
  { key: 'severity', label: 'Severity', sort: 'severity', cell: (l) => html`<${Badge} kind=${kinds[l.severity] ?? 'idle'}>${known(l.severity)}<//>` },
  { key: 'site', label: 'Site', sort: 'siteName', cell: (l) => html`<${SiteLink} id=${l.siteId} name=${l.siteName} />` },
  { key: 'router', label: 'Router', sort: 'routerName', cell: (l) => known(l.routerName) },
  { key: 'text', label: 'Message', wide: true, cell: (l) => html`<span class="mono">${l.text}</span>` },
  { key: 'file', label: 'From', sort: 'sourceFile', cell: (l) => html`<span class="muted">${l.sourceFile ? `${l.sourceFile}${l.sourceLine ? ':' + l.sourceLine : ''}` : '–'}</span>` },
];

const fields = [
  { key: 'severity', label: 'Severity', options: [['', 'All'], ['critical', 'Critical'], ['error', 'Error'], ['warning', 'Warning'], ['info', 'Info']] },
  { key: 'siteName', label: 'Site starts with' },
  { key: 'routerName', label: 'Router starts with', hint: '0/west' },
  { key: 'text', label: 'Message starts with' },
];

export function Page() {
  const { params } = useRoute();
  return html`<${Heading} title="Router logs" lead="Warnings and worse of all routers, since the observer has been running; the oldest go when there are too many." />
    <${Filters} fields=${fields} />
    <${ServerTable} path="logs" params=${{ ...always, ...chosen(params, fields) }} caption="Log lines" sort="startTime.desc" size=${50} columns=${columns}
      empty=${html`<${Empty} title="No log lines">No router has had anything to warn of.<//>`} />`;
}
