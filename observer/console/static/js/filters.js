// Filters of a page. What is typed stands in the address at once and goes to
// the server; nothing is filtered here.
import { html, useState, useEffect, useRef, useId } from './html.js';
import { useRoute, setParams } from './route.js';

const patience = 250; // ms after the last letter

// Filters: a field is {key, label, hint} or {key, label, options: [[value, text]]}.
// Changing one goes back to the first page of the tables named by ids.
export function Filters({ fields, ids = [''], label = 'Filters' }) {
  const { params } = useRoute();
  const pages = Object.fromEntries(ids.map((id) => [id ? `${id}.page` : 'page', '']));
  const set = (key, value) => setParams({ [key]: value, ...pages });
  const used = fields.filter((f) => params.get(f.key));
  const clear = () => setParams({ ...Object.fromEntries(fields.map((f) => [f.key, ''])), ...pages });
  return html`<form class="filters" role="search" aria-label=${label} onSubmit=${(e) => e.preventDefault()}>
    ${fields.map((f) => (f.options
      ? html`<${Choice} key=${f.key} field=${f} value=${params.get(f.key) ?? ''} set=${set} />`
      : html`<${Text} key=${f.key} field=${f} value=${params.get(f.key) ?? ''} set=${set} />`))}
    ${used.length > 0 && html`<button type="button" class="link clear" onClick=${clear}>Clear</button>`}
  </form>`;
}

function Choice({ field, value, set }) {
  const id = useId();
  return html`<div class="field"><label for=${id}>${field.label}</label>
    <select id=${id} name=${field.key} value=${value} onChange=${(e) => set(field.key, e.currentTarget.value)}>
      ${field.options.map(([v, text]) => html`<option key=${v} value=${v} selected=${v === value}>${text}</option>`)}
    </select></div>`;
}

function Text({ field, value, set }) {
  const id = useId();
  const [typed, setTyped] = useState(value);
  const waiting = useRef();
  useEffect(() => {
    if (!waiting.current) setTyped(value); // the address was changed elsewhere
  }, [value]);
  useEffect(() => () => clearTimeout(waiting.current), []);
  const type = (text) => {
    setTyped(text);
    clearTimeout(waiting.current);
    waiting.current = setTimeout(() => {
      waiting.current = undefined;
      set(field.key, text.trim());
    }, patience);
  };
  return html`<div class="field"><label for=${id}>${field.label}</label>
    <input id=${id} name=${field.key} type="search" autocomplete="off" spellcheck=${false} placeholder=${field.hint ?? ''}
      value=${typed} onInput=${(e) => type(e.currentTarget.value)} /></div>`;
}

// chosen is the parameters for the server of fields that are set.
export function chosen(params, fields) {
  return Object.fromEntries(fields.filter((f) => !f.local && params.get(f.key)).map((f) => [f.key, params.get(f.key)]));
}
