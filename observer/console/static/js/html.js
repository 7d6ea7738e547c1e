// Markup in template literals: html`<p class=${c}>${text}</p>`. Values are
// always text or elements, never parsed as markup.
import { h, Fragment } from '../vendor/preact.mjs';
import htm from '../vendor/htm.mjs';

export const html = htm.bind(h);
export { h, Fragment };
export { useState, useEffect, useLayoutEffect, useRef, useMemo, useId } from '../vendor/preact-hooks.mjs';
