// Tables. Rows come from the server a page at a time; order, page and filters
// stand in the address. On a narrow screen a row becomes a card, so roles are
// written out: a browser drops those of a table that is not displayed as one.
import { html, useState, useEffect, useRef } from './html.js';
import { useRoute, setParams } from './route.js';
import { useList } from './query.js';
import { count } from './format.js';
import { Icon } from './icon.js';
import { Empty, Problem, Loading } from './notice.js';

// Table shows rows as they are given. A column is {key, label,
// cell(row, more), number, sort, newest, wide, whole}; the first one names the row.
export function Table({ caption, columns, rows, more, order, onOrder, hide }) {
  return html`<table role="table" class="rows">
    <caption class=${hide ? 'unseen' : ''}>${caption}</caption>
    <thead role="rowgroup"><tr role="row">${columns.map((c) => html`<${Head} key=${c.key} column=${c} order=${order} onOrder=${onOrder} />`)}</tr></thead>
    <tbody role="rowgroup">${rows.map((row, i) => html`<tr role="row" key=${row.identity ?? i}>
      ${columns.map((c, n) => n === 0
        ? html`<th scope="row" role="rowheader" key=${c.key} class=${kind(c)}>${c.cell(row, more)}</th>`
        : html`<td role="cell" key=${c.key} data-label=${c.label} class=${kind(c)}>${c.cell(row, more)}</td>`)}
    </tr>`)}</tbody>
  </table>`;
}

const kind = (c) => ['number', 'wide', 'whole'].filter((name) => c[name]).join(' ');

const turned = { asc: 'desc', desc: 'asc' };
const spoken = { asc: 'ascending', desc: 'descending' };

function Head({ column, order, onOrder }) {
  const cls = column.number ? 'number' : '';
  if (!column.sort || !onOrder) return html`<th scope="col" role="columnheader" class=${cls}>${column.label}</th>`;
  const [field, way] = (order ?? '').split(/\.(?=[^.]*$)/);
  const sorted = field === column.sort;
  const next = sorted ? turned[way] : column.number || column.newest ? 'desc' : 'asc';
  return html`<th scope="col" role="columnheader" class=${cls} aria-sort=${sorted ? spoken[way] : 'none'}>
    <button type="button" class="sort" onClick=${() => onOrder(`${column.sort}.${next}`)}>${column.label}<span class="arrow" aria-hidden="true">${sorted ? (way === 'asc' ? '↑' : '↓') : ''}</span></button>
  </th>`;
}

const nothing = () => undefined;

// ServerTable asks path with params; id keeps several of a page apart in the
// address. useMore is a hook that is given the rows; what it returns is handed
// to the cells.
export function ServerTable({ id = '', path, params = {}, columns, caption, sort, size = 25, empty, toolbar, useMore = nothing }) {
  const { params: route } = useRoute();
  const key = (name) => (id ? `${id}.${name}` : name);
  const order = route.get(key('sort')) ?? sort;
  const page = Math.max(1, Number.parseInt(route.get(key('page')) ?? '1', 10) || 1);
  const asked = { ...params, sortBy: order, limit: size, offset: (page - 1) * size };
  const { rows, total, error, first, stale } = useList(path, asked);
  const said = useSaid(JSON.stringify({ ...asked, timeRangeStart: undefined }), stale, `${caption}: ${count(total)}`);
  const last = Math.max(1, Math.ceil(total / size));
  const more = useMore(rows);
  return html`<section class="card table" aria-label=${caption}>
    <div class="card-head"><h2>${caption} ${!first && html`<span class="count">${count(total)}</span>`}</h2>${toolbar}</div>
    <p class="unseen" role="status">${said}</p>
    ${error && html`<${Problem} error=${error} />`}
    ${first && html`<${Loading} what=${caption.toLowerCase()} />`}
    ${!first && rows.length === 0 && !error && (page > last ? html`<${Empty} title="This page is empty now"><button type="button" class="link" onClick=${() => setParams({ [key('page')]: '' })}>Go to the first page</button><//>` : empty)}
    ${rows.length > 0 && html`<${Table} caption=${caption} hide=${true} columns=${columns} rows=${rows} more=${more} order=${order}
      onOrder=${(next) => setParams({ [key('sort')]: next, [key('page')]: '' })} />`}
    ${total > size && html`<${Pages} caption=${caption} page=${page} size=${size} total=${total} last=${last} go=${(n) => setParams({ [key('page')]: n === 1 ? '' : n })} />`}
  </section>`;
}

// useSaid is what is read aloud: the outcome of what somebody asked for, and not
// of every refresh.
function useSaid(asked, stale, text) {
  const [said, say] = useState('');
  const before = useRef(asked);
  const waits = useRef(false);
  if (before.current !== asked) {
    before.current = asked;
    waits.current = true;
  }
  useEffect(() => {
    if (!waits.current || stale) return;
    waits.current = false;
    say(text);
  });
  return said;
}

function Pages({ caption, page, size, total, last, go }) {
  const from = (page - 1) * size + 1;
  return html`<nav class="pages" aria-label="Pages of ${caption.toLowerCase()}">
    <span>${count(Math.min(from, total))}–${count(Math.min(page * size, total))} of ${count(total)}</span>
    <button type="button" class="plain" disabled=${page <= 1} onClick=${() => go(page - 1)}><${Icon} name="left" />Previous</button>
    <button type="button" class="plain" disabled=${page >= last} onClick=${() => go(page + 1)}>Next<${Icon} name="right" /></button>
  </nav>`;
}
