// A state is told three times: by colour, by shape and by a word.
import { html } from './html.js';

const shapes = {
  good: 'M6 1a5 5 0 1 0 0 10A5 5 0 0 0 6 1Zm-2.400 5 1.700 1.700L8.500 4.300',
  bad: 'M1.500 1.500h9v9h-9zM4 4l4 4M8 4 4 8',
  warn: 'M6 1 11.500 10.500H.500zM6 4.500v2.800M6 9h.010',
  idle: 'M6 2a4 4 0 1 0 0 8 4 4 0 0 0 0-8Z',
  note: 'M6 1a5 5 0 1 0 0 10A5 5 0 0 0 6 1Zm0 4.500v3M6 3.500h.010',
};

// Badge: kind is good, bad, warn, idle or note.
export function Badge({ kind, children, title }) {
  return html`<span class="badge ${kind}" title=${title}>
    <svg viewBox="0 0 12 12" aria-hidden="true" focusable="false"><path d=${shapes[kind]} /></svg>${children}
  </span>`;
}

export const Tag = ({ children }) => html`<span class="tag">${children}</span>`;
