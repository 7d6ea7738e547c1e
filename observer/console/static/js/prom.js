// Queries of counters over time, in the shapes that the observer answers from
// its own memory or hands to a Prometheus.
import { useQuery } from './query.js';
import { useTick } from './live.js';
import { useMemo } from './html.js';

// matcher is label=~"value|value"; values are taken as they are.
export function matcher(filter) {
  const parts = Object.entries(filter).filter(([, v]) => v !== undefined && v !== '').map(([label, v]) => `${label}=~"${[v].flat().map(escape).join('|')}"`);
  return parts.length ? `{${parts.join(',')}}` : '';
}

const escape = (text) => text.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&').replace(/["\\]/g, '\\$&');

const values = (data) => data?.data?.result ?? [];

// useNow is a Map from the value of label to a number; query null asks nothing.
export function useNow(query, label) {
  const { data } = useQuery(query === null ? null : 'internal/prom/query', query === null ? undefined : { query });
  return new Map(values(data).map((s) => [s.metric[label], Number(s.value[1])]));
}

// useRates is what flows now of each of names: bytes and requests per second,
// open connections, requests that failed at the server.
export function useRates(label, names) {
  const of = matcher({ [label]: names });
  const sum = (what) => (names.length ? `sum by(${label})(${what})` : null);
  return {
    sent: useNow(sum(`rate(skupper_sent_bytes_total${of}[30s])`), label),
    received: useNow(sum(`rate(skupper_received_bytes_total${of}[30s])`), label),
    open: useNow(sum(`skupper_connections_opened_total${of}-skupper_connections_closed_total${of}`), label),
    requests: useNow(sum(`rate(skupper_requests_total${of}[60s])`), label),
    failed: useNow(sum(`rate(skupper_requests_total${matcher({ [label]: names, code: '5xx' })}[60s])`), label),
  };
}

// Span: how far back, how far apart the points are, over what a rate is taken.
export function span(seconds) {
  const step = Math.max(10, Math.ceil(seconds / 240));
  const over = seconds >= 86400 ? 900 : seconds >= 43200 ? 300 : seconds >= 21600 ? 180 : 60;
  return { seconds, step, over: `${over}s` };
}

// useRange asks for query over the last span: [{labels, points: [[s, y], …]}].
export function useRange(query, { seconds, step }) {
  const tick = useTick();
  const end = useMemo(() => Math.floor(Date.now() / 1000 / step) * step, [tick, step]);
  const { data, error, first } = useQuery('internal/prom/rangequery', { query, start: end - seconds, end, step });
  return { series: values(data).map((s) => ({ labels: s.metric, points: s.values.map(([t, y]) => [t, Number(y)]) })), error, first, from: end - seconds, to: end };
}
