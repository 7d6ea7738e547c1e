// The charts of some traffic: of everything, a service, a site or a process.
import { html } from '../html.js';
import { Chart } from './chart.js';
import { matcher, span } from '../prom.js';
import { useRoute } from '../route.js';
import { Filters } from '../filters.js';
import { rate, perSecond, micros, count } from '../format.js';

export const rangeField = { key: 'range', label: 'Time', options: [['', 'Last hour'], ['900', 'Last 15 min'], ['7200', 'Last 2 h'], ['43200', 'Last 12 h'], ['86400', 'Last 24 h'], ['172800', 'Last 48 h']] };

export function useSpan() {
  const { params } = useRoute();
  return span(Number(params.get('range')) || 3600);
}

// Panel: filter maps labels of the metrics to values.
export function Panel({ filter }) {
  const over = useSpan();
  const F = matcher(filter);
  const quantile = (q) => `histogram_quantile(${q}, sum(increase(legacy_flow_latency_microseconds_bucket${matcher({ ...filter, direction: 'incoming' })}[${over.over}]))by(le))`;
  return html`<div class="grid-2">
    <${Chart} title="Bytes per second" span=${over} unit=${rate} queries=${[
      ['from clients', `sum(rate(skupper_sent_bytes_total${F}[${over.over}]))`],
      ['from servers', `sum(rate(skupper_received_bytes_total${F}[${over.over}]))`],
    ]} />
    <${Chart} title="Open connections" span=${over} unit=${whole} whole=${true} queries=${[['open', `sum(skupper_connections_opened_total${F}-skupper_connections_closed_total${F})`]]} />
    <${Chart} title="Time to the first byte" span=${over} unit=${micros} queries=${[['median', quantile(0.5)], ['90 %', quantile(0.9)], ['99 %', quantile(0.99)]]} />
    <${Chart} title="HTTP requests per second, by method" span=${over} unit=${perSecond} label="method" queries=${[['', `sum by(method)(rate(skupper_requests_total${F}[${over.over}]))`]]} />
    <${Chart} title="HTTP responses per second, by class" span=${over} unit=${perSecond} label="partial_code" rename=${(c) => `${c}xx`}
      queries=${[['', `sum by(partial_code)(label_replace(rate((skupper_requests_total${F}[5m])),"partial_code", "$1", "code","(.*).{2}"))`]]} />
  </div>`;
}

const whole = (n) => (n === undefined || n === null ? '–' : count(Math.round(n)));

export const RangeFilter = () => html`<${Filters} fields=${[rangeField]} label="Time of the charts" />`;
