// A chart with its title and a legend that says the values in words.
import { html, useMemo, useState } from '../html.js';
import { useRange } from '../prom.js';
import { Plot, dashes } from './plot.js';
import { Empty, Loading } from '../notice.js';

// Chart: queries is [[name, promql], …], or one query whose label names its
// series. unit formats a value.
export function Chart({ title, queries, label, rename = (x) => x, span, unit, whole }) {
  const asked = queries.map(([, query]) => useRange(query, span)); // their number never changes
  const [cursor, setCursor] = useState(null);
  const series = label
    ? asked[0].series.map((s) => ({ name: rename(s.labels[label] ?? 'other'), points: s.points })).sort((a, b) => (a.name < b.name ? -1 : 1)).slice(0, 6)
    : asked.flatMap((a, i) => a.series.slice(0, 1).map((s) => ({ name: queries[i][0], points: s.points })));
  const data = useMemo(() => columns(series), [JSON.stringify(series)]);
  const error = asked.find((a) => a.error)?.error;
  const first = asked.some((a) => a.first);
  const { from, to } = asked[0];
  const last = data[0].length - 1;
  const index = cursor === null ? last : Math.min(cursor, last);
  const rows = series.map((s, i) => ({ name: s.name, now: data[i + 1][index], ...extremes(data[i + 1]) }));
  const summary = `${title}. ${rows.map((r) => `${r.name}: now ${unit(r.now)}, average ${unit(r.average)}, highest ${unit(r.highest)}`).join('. ')}`;
  return html`<figure class="card chart">
    <figcaption>${title}${cursor !== null && last >= 0 && html`<span>${new Date(data[0][index] * 1000).toLocaleTimeString('sv-SE')}</span>`}</figcaption>
    ${first ? html`<${Loading} what="the chart" />` : error ? html`<${Empty} title="This chart cannot be drawn">${error.message}<//>` : last < 0 ? html`<${Empty} title="Nothing in this time" />` : html`
      <${Plot} data=${data} names=${series.map((s) => s.name)} format=${unit} whole=${whole} label=${summary} from=${from} to=${to} onCursor=${setCursor} />
      <ul class="series">${rows.map((r, i) => html`<li key=${r.name}><${Swatch} i=${i} /><span>${r.name}</span><b>${unit(r.now)}</b><span class="muted">max ${unit(r.highest)}</span></li>`)}</ul>`}
  </figure>`;
}

const Swatch = ({ i }) => html`<svg viewBox="0 0 18 4" aria-hidden="true" focusable="false"><line class="swatch s${(i % 6) + 1}" x1="0" x2="18" y1="2" y2="2" stroke-dasharray=${dashes[i % dashes.length].join(' ')} /></svg>`;

// columns joins series by their times, as the library wants them.
function columns(series) {
  const times = [...new Set(series.flatMap((s) => s.points.map(([t]) => t)))].sort((a, b) => a - b);
  const at = new Map(times.map((t, i) => [t, i]));
  return [times, ...series.map((s) => {
    const ys = Array(times.length).fill(null);
    for (const [t, y] of s.points) ys[at.get(t)] = Number.isFinite(y) ? y : null;
    return ys;
  })];
}

function extremes(ys) {
  const real = ys.filter((y) => y !== null);
  if (real.length === 0) return { average: undefined, highest: undefined };
  return { average: real.reduce((a, b) => a + b, 0) / real.length, highest: Math.max(...real) };
}
