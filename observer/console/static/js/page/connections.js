import { html } from '../html.js';
import { useRoute } from '../route.js';
import { Filters, chosen } from '../filters.js';
import { useOne, useList } from '../query.js';
import { Table } from '../table.js';
import { Problem, Loading } from '../notice.js';
import { ConnectionTable, ConnectionState, requestColumnsOf, stateField, periodField, usePeriod, errorOf } from './flows.js';
import { Heading, Facts } from './shape.js';
import { ProcessLink, ServiceLink, SiteLink } from './link.js';
import { bytes, micros, moment, known } from '../format.js';
import { segment } from '../api.js';

const fields = [
  stateField,
  periodField,
  { key: 'routingKey', label: 'Service starts with' },
  { key: 'sourceSiteName', label: 'Client’s site starts with' },
  { key: 'destSiteName', label: 'Server’s site starts with' },
  { key: 'sourceProcessName', label: 'Client starts with' },
  { key: 'destProcessName', label: 'Server starts with' },
  { key: 'sourceHost', label: 'Client’s address starts with' },
];

export function Page() {
  const { params } = useRoute();
  const period = usePeriod(params.get('period'));
  return html`<${Heading} title="Connections" /><${Filters} fields=${fields} />
    <${ConnectionTable} params=${{ ...chosen(params, fields), ...period }} />`;
}

export function Detail({ id }) {
  const { record: c, error, first } = useOne(`connections/${segment(id)}`);
  if (first) return html`<${Loading} what="the connection" />`;
  return html`<${Heading} title="Connection ${id}" up=${{ path: ['connections'], text: 'Connections' }}>${c && html`<${ConnectionState} of=${c} />`}<//>
    ${error && html`<${Problem} error=${error} />`}
    ${c && html`
      <${Facts} label="About the connection" of=${[
        ['Service', html`<${ServiceLink} id=${c.serviceId} name=${c.routingKey} />`],
        ['Client', html`<${ProcessLink} id=${c.sourceProcessId} name=${c.sourceProcessName} />`],
        ['Client’s site', html`<${SiteLink} id=${c.sourceSiteId} name=${c.sourceSiteName} />`],
        ['Client’s address', `${known(c.sourceHost)}:${known(c.sourcePort)}`],
        ['Server', html`<${ProcessLink} id=${c.destProcessId} name=${c.destProcessName} />`],
        ['Server’s site', html`<${SiteLink} id=${c.destSiteId} name=${c.destSiteName} />`],
        ['Server’s address', `${known(c.destHost)}:${known(c.destPort)}`],
        ['Seen by the server as', `${known(c.proxyHost)}:${known(c.proxyPort)}`],
        ['Started', moment(c.startTime)],
        ['Ended', c.endTime ? moment(c.endTime) : 'still open'],
        ['Duration', c.duration === null ? '–' : micros(c.duration)],
        ['Sent by the client', bytes(c.octetCount)],
        ['Sent by the server', bytes(c.octetReverseCount)],
        ['First byte, client’s side', c.latency ? micros(c.latency) : '–'],
        ['First byte, server’s side', c.latencyReverse ? micros(c.latencyReverse) : '–'],
        ['Error', errorOf(c) ? html`<span class="error-text">${errorOf(c)}</span>` : 'none'],
      ]} />
      <section class="card" aria-label="Path"><div class="card-head"><h2>Path through the network</h2></div>
        <ol class="hops">${c.traceRouters.map((router, i) => html`<li key=${i}><b>${c.traceSites[i] ?? '–'}</b> <span class="muted">${router}</span></li>`)}</ol></section>
      <${Requests} id=${id} />`}`;
}

// Identities match by their beginning on the server; here they match whole.
function Requests({ id }) {
  const { rows } = useList('applicationflows', { connectionId: id, timeRangeStart: 0, limit: 200, sortBy: 'startTime.desc' });
  const own = rows.filter((r) => r.connectionId === id);
  if (own.length === 0) return null;
  return html`<section class="card table" aria-label="Requests"><div class="card-head"><h2>HTTP requests in it</h2></div>
    <${Table} caption="HTTP requests in it" hide=${true} rows=${own} columns=${requestColumnsOf(['service', 'client', 'server', 'connection'])} /></section>`;
}
