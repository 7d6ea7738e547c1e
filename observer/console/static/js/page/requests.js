import { html } from '../html.js';
import { useRoute } from '../route.js';
import { Filters, chosen } from '../filters.js';
import { RequestTable, periodField, usePeriod } from './flows.js';
import { Heading } from './shape.js';

const fields = [
  periodField,
  { key: 'method', label: 'Method', options: [['', 'All'], ...['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'HEAD', 'OPTIONS', 'CONNECT'].map((m) => [m, m])] },
  { key: 'status', label: 'Status', options: [['', 'All'], ['2', '2xx, done'], ['3', '3xx, elsewhere'], ['4', '4xx, client’s fault'], ['5', '5xx, server’s fault']] },
  { key: 'protocol', label: 'Protocol', options: [['', 'All'], ['http1', 'HTTP/1.1'], ['http2', 'HTTP/2']] },
  { key: 'routingKey', label: 'Service starts with' },
  { key: 'sourceSiteName', label: 'Client’s site starts with' },
  { key: 'destSiteName', label: 'Server’s site starts with' },
  { key: 'sourceProcessName', label: 'Client starts with' },
];

export function Page() {
  const { params } = useRoute();
  const period = usePeriod(params.get('period'));
  return html`<${Heading} title="HTTP requests" /><${Filters} fields=${fields} />
    <${RequestTable} params=${{ ...chosen(params, fields), ...period }} />`;
}
