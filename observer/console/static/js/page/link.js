// Names that lead to their page.
import { html } from '../html.js';
import { href } from '../route.js';
import { known } from '../format.js';

const to = (kind) => ({ id, name }) => (id && id !== 'unknown' ? html`<a href=${href([kind, id])}>${known(name)}</a>` : html`<span>${known(name)}</span>`);

export const SiteLink = to('sites');
export const ServiceLink = to('services');
export const ProcessLink = to('processes');
export const ComponentLink = to('components');
export const ConnectionLink = to('connections');
