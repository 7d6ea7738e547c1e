// One chart on a canvas. Colours are those of the theme; lines differ in their
// dashes as well.
import uPlot from '../../vendor/uplot.mjs';
import { html, useEffect, useRef } from '../html.js';
import { useTheme } from '../theme.js';

export const dashes = [[], [6, 3], [2, 3], [10, 3, 2, 3], [1, 2], [12, 4]];

// colour resolves a variable of the theme, which a canvas cannot.
function colour(name) {
  const probe = document.createElement('span');
  probe.style.color = `var(${name})`;
  document.body.append(probe);
  const seen = getComputedStyle(probe).color;
  probe.remove();
  return seen;
}

// Plot draws data, [times, ys, …]; names of the series are needed for their
// number only. onCursor is told the index of the time below the pointer.
export function Plot({ data, names, format, whole, label, from, to, onCursor }) {
  const area = useRef();
  const plot = useRef();
  const theme = useTheme();
  const key = names.join('\n');
  useEffect(() => {
    const box = area.current;
    const p = (plot.current = new uPlot(options(box, names, format, whole, onCursor), data, box));
    p.setScale('x', { min: from, max: to });
    const observer = new ResizeObserver(() => p.setSize({ width: box.clientWidth, height: box.clientHeight }));
    observer.observe(box);
    return () => {
      observer.disconnect();
      p.destroy();
      plot.current = undefined;
    };
  }, [theme, key]);
  useEffect(() => {
    plot.current?.setData(data, false);
    plot.current?.setScale('x', { min: from, max: to });
  }, [data]);
  return html`<div class="chart-area" ref=${area} role="img" aria-label=${label}></div>`;
}

// whole numbers have no marks between them.
const wholes = [1, 2, 5].flatMap((n) => [...Array(10).keys()].map((e) => n * 10 ** e)).sort((a, b) => a - b);

function options(area, names, format, whole, onCursor) {
  const [muted, line] = [colour('--muted'), colour('--line')];
  const axis = { stroke: muted, font: '12px Inter, sans-serif', grid: { stroke: line, width: 1 }, ticks: { show: false } };
  return {
    width: area.clientWidth || 400,
    height: area.clientHeight || 180,
    legend: { show: false },
    cursor: { y: false, points: { size: 6 }, drag: { x: false, y: false } },
    scales: { x: { auto: false }, y: { range: (_, low, high) => [Math.min(0, low ?? 0), high > 0 ? high * 1.08 : 1] } },
    axes: [{ ...axis, size: 28, space: 70, values: times }, { ...axis, ...(whole ? { incrs: wholes } : {}), size: 74, space: 34, values: (_, ys) => ys.map(format) }],
    hooks: { setCursor: [(p) => onCursor(p.cursor.idx ?? null)] },
    series: [{}, ...names.map((_, i) => ({ stroke: colour(`--series-${(i % 6) + 1}`), width: 1.6, dash: dashes[i % dashes.length], points: { show: false }, fill: names.length === 1 ? colour('--accent-soft') : undefined }))],
  };
}

const hour = new Intl.DateTimeFormat('sv-SE', { hour: '2-digit', minute: '2-digit' });
const fine = new Intl.DateTimeFormat('sv-SE', { hour: '2-digit', minute: '2-digit', second: '2-digit' });
const long = new Intl.DateTimeFormat('sv-SE', { day: '2-digit', month: '2-digit', hour: '2-digit', minute: '2-digit' });

function times(_, at, __, ___, apart) {
  const form = apart < 60 ? fine : at.at(-1) - at[0] > 86400 ? long : hour;
  return at.map((s) => form.format(s * 1000));
}
