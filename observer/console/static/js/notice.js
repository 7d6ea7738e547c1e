// What stands where there is nothing to show, and why.
import { html } from './html.js';
import { Badge } from './badge.js';
import { Age } from './time.js';

export function Empty({ title, children }) {
  return html`<div class="empty"><p class="empty-title">${title}</p>${children && html`<p>${children}</p>`}</div>`;
}

export function Problem({ error }) {
  return html`<div class="problem" role="alert"><${Badge} kind="bad">Not up to date<//> <span>${error.message}</span></div>`;
}

// NoRouter says that the observer hears of nothing. Before its first attempt to
// connect has ended there is nothing to say.
export function NoRouter({ observer }) {
  if (!observer || observer.connected || !observer.since) return null;
  return html`<div class="problem no-router" role="alert"><${Badge} kind="bad">No router<//> <span>The observer has been without a connection to its router for <${Age} us=${observer.since} />; what is shown is what it knew before. ${observer.problem}</span></div>`;
}

export const Loading = ({ what }) => html`<p class="loading">Asking for ${what} …</p>`;
