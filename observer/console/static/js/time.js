import { html } from './html.js';
import { ago, age, moment } from './format.js';

// Age is how long something has been so: "3 min".
export function Age({ us }) {
  if (!us) return '–';
  return html`<time datetime=${new Date(us / 1000).toISOString()} title="since ${moment(us)}">${age(us)}</time>`;
}

// Ago is "3 min ago"; hovering tells when exactly.
export function Ago({ us }) {
  if (!us) return '–';
  return html`<time datetime=${new Date(us / 1000).toISOString()} title=${moment(us)}>${ago(us)}</time>`;
}
