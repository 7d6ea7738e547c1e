// Tables of connections and of requests.
import { html, useMemo } from '../html.js';
import { ServerTable } from '../table.js';
import { useTick } from '../live.js';
import { Badge, Tag } from '../badge.js';
import { Empty } from '../notice.js';
import { ConnectionLink, ProcessLink, ServiceLink } from './link.js';
import { at, bytes, micros, known } from '../format.js';

export const stateField = { key: 'state', label: 'State', options: [['', 'Open and closed'], ['active', 'Open'], ['terminated', 'Closed']] };
export const periodField = { key: 'period', label: 'Time', local: true, options: [['', 'Last 15 min'], ['3600', 'Last hour'], ['21600', 'Last 6 h'], ['all', 'All that is kept']] };

// usePeriod is the parameters for the server of what periodField says.
export function usePeriod(value) {
  const tick = useTick();
  return useMemo(() => {
    if (!value) return {};
    return { timeRangeStart: value === 'all' ? 0 : Math.round((Date.now() - value * 1000) * 1000) };
  }, [value, tick]);
}

const port = (host, n) => `${known(host)}${n && n !== 'unknown' ? ':' + n : ''}`;
export const errorOf = (c) => [c.listenerError, c.connectorError].filter(Boolean).join('; ');

export function ConnectionState({ of: c }) {
  if (errorOf(c)) return html`<${Badge} kind="bad">Failed<//>`;
  return c.endTime ? html`<${Badge} kind="idle">Closed<//>` : html`<${Badge} kind="good">Open<//>`;
}

export const Path = ({ of: names }) => (names?.length ? html`<span class="path">${names.map((name, i) => html`<b key=${i}>${i > 0 && '→ '}${name}</b> `)}</span>` : '–');

const connectionColumns = [
  { key: 'start', label: 'Started', sort: 'startTime', newest: true, whole: true, cell: (c) => html`<${ConnectionLink} id=${c.identity} name=${at(c.startTime)} />` },
  { key: 'state', label: 'State', sort: 'connectorError', newest: true, cell: (c) => html`<${ConnectionState} of=${c} />${errorOf(c) && html`<span class="error-text under">${errorOf(c)}</span>`}` },
  { key: 'service', label: 'Service', sort: 'routingKey', cell: (c) => html`<${ServiceLink} id=${c.serviceId} name=${c.routingKey} />` },
  { key: 'client', label: 'Client', sort: 'sourceProcessName', cell: (c) => html`<${ProcessLink} id=${c.sourceProcessId} name=${c.sourceProcessName} /><span class="address">${port(c.sourceHost, c.sourcePort)}</span>` },
  { key: 'server', label: 'Server', sort: 'destProcessName', cell: (c) => html`<${ProcessLink} id=${c.destProcessId} name=${c.destProcessName} /><span class="address">${port(c.destHost, c.destPort)}</span>` },
  { key: 'path', label: 'Path', cell: (c) => html`<${Path} of=${c.traceSites} />` },
  { key: 'sent', label: 'Sent', sort: 'octetCount', number: true, cell: (c) => bytes(c.octetCount) },
  { key: 'received', label: 'Received', sort: 'octetReverseCount', number: true, cell: (c) => bytes(c.octetReverseCount) },
  { key: 'latency', label: 'First byte', sort: 'latency', number: true, cell: (c) => (c.latency ? micros(c.latency) : '–') },
  { key: 'duration', label: 'Duration', sort: 'duration', number: true, cell: (c) => (c.duration === null ? '–' : micros(c.duration)) },
];

export function ConnectionTable({ id, params, without = [], caption = 'Connections' }) {
  return html`<${ServerTable} id=${id} path="connections" params=${params} caption=${caption} sort="startTime.desc" columns=${connectionColumns.filter((c) => !without.includes(c.key))}
    empty=${html`<${Empty} title="No connections">None in this time match. Choose a longer time or clear a filter; what is open is always shown.<//>`} />`;
}

function Status({ of: r }) {
  const kind = { 2: 'good', 3: 'note', 4: 'warn', 5: 'bad' }[r.status?.[0]] ?? 'idle';
  return html`<${Badge} kind=${kind} title=${r.reason}>${known(r.status)}<//>`;
}

const requestColumns = [
  { key: 'start', label: 'Started', sort: 'startTime', newest: true, whole: true, cell: (r) => at(r.startTime) },
  { key: 'method', label: 'Method', sort: 'method', cell: (r) => html`<${Tag}>${known(r.method)}<//>` },
  { key: 'status', label: 'Status', sort: 'status', cell: (r) => html`<${Status} of=${r} />` },
  { key: 'service', label: 'Service', sort: 'routingKey', cell: (r) => html`<${ServiceLink} id=${r.serviceId} name=${r.routingKey} />` },
  { key: 'client', label: 'Client', sort: 'sourceProcessName', cell: (r) => html`<${ProcessLink} id=${r.sourceProcessId} name=${r.sourceProcessName} />${r.forwardedFor ? html` <span class="muted">for ${r.forwardedFor}</span>` : ''}` },
  { key: 'server', label: 'Server', sort: 'destProcessName', cell: (r) => html`<${ProcessLink} id=${r.destProcessId} name=${r.destProcessName} />` },
  { key: 'duration', label: 'Duration', sort: 'duration', number: true, cell: (r) => (r.duration === null ? '–' : micros(r.duration)) },
  { key: 'sent', label: 'Sent', sort: 'octetCount', number: true, cell: (r) => bytes(r.octetCount) },
  { key: 'received', label: 'Received', sort: 'octetReverseCount', number: true, cell: (r) => bytes(r.octetReverseCount) },
  { key: 'protocol', label: 'Protocol', sort: 'protocol', cell: (r) => protocolName(r.protocol) },
  { key: 'connection', label: 'Connection', cell: (r) => html`<${ConnectionLink} id=${r.connectionId} name="Open" />` },
];

export const protocolName = (p) => ({ http1: 'HTTP/1.1', http2: 'HTTP/2' })[p] ?? known(p);

export function RequestTable({ id, params, without = [], caption = 'HTTP requests' }) {
  return html`<${ServerTable} id=${id} path="applicationflows" params=${params} caption=${caption} sort="startTime.desc" columns=${requestColumns.filter((c) => !without.includes(c.key))}
    empty=${html`<${Empty} title="No HTTP requests">Routers look into a connection where its listener’s <code>observer</code> is <code>auto</code>, <code>http1</code> or <code>http2</code>. None in this time match.<//>`} />`;
}

export const requestColumnsOf = (without) => requestColumns.filter((c) => !without.includes(c.key));
