// What stands where there is nothing to show, and why.
import { html } from './html.js';
import { Badge } from './badge.js';

export function Empty({ title, children }) {
  return html`<div class="empty"><p class="empty-title">${title}</p>${children && html`<p>${children}</p>`}</div>`;
}

export function Problem({ error }) {
  return html`<div class="problem" role="alert"><${Badge} kind="bad">Not up to date<//> <span>${error.message}</span></div>`;
}

export const Loading = ({ what }) => html`<p class="loading">Asking for ${what} …</p>`;
