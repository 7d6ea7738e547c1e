// What pages are built of: their heading, facts beside each other, tabs.
import { html, useEffect } from '../html.js';
import { useRoute, setParams, href } from '../route.js';

// Heading is the h1 of a page and the title of the window.
export function Heading({ title, up, children, lead }) {
  useEffect(() => {
    document.title = `${title} · Skupper network observer`;
  }, [title]);
  return html`<header class="heading">
    ${up && html`<p class="crumbs"><a href=${href(up.path)}>${up.text}</a></p>`}
    <div class="heading-row"><h1 tabindex="-1" id="title">${title}</h1>${children}</div>
    ${lead && html`<p class="lead">${lead}</p>`}
  </header>`;
}

// Facts: [[label, value, long], …]; long ones get the room of two.
export function Facts({ of, label }) {
  return html`<dl class="facts card" aria-label=${label}>${of.map(([name, value, long]) => html`<div key=${name} class=${long ? 'long' : ''}><dt>${name}</dt><dd>${value}</dd></div>`)}</dl>`;
}

// Tabs: [[key, text], …]; the first is shown unless the address says otherwise.
export function Tabs({ of, label, param = 'tab' }) {
  const shown = useTab(of, param);
  return html`<nav class="tabs" aria-label=${label}>${of.map(([key, text]) => html`<button type="button" key=${key}
    aria-current=${key === shown ? 'page' : undefined} onClick=${() => setParams({ [param]: key === of[0][0] ? '' : key })}>${text}</button>`)}</nav>`;
}

export function useTab(of, param = 'tab') {
  const { params } = useRoute();
  const asked = params.get(param);
  return of.some(([key]) => key === asked) ? asked : of[0][0];
}
