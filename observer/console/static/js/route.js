// The address behind the # is the whole state of a page: its path and its
// parameters. Reloading or sharing an address shows the same again.
import { useState, useEffect } from './html.js';

// parse splits '#/services/x?page=2' into path ['services', 'x'] and params.
export function parse(hash) {
  const [path, query = ''] = hash.replace(/^#?\/?/, '').split(/\?(.*)/s);
  return { path: path.split('/').filter(Boolean).map(decode), params: new URLSearchParams(query) };
}

function decode(part) {
  try {
    return decodeURIComponent(part);
  } catch {
    return part; // a stray % in an address that somebody typed
  }
}

// href is the address of a page. Parameters that are empty are left out.
export function href(path, params = {}) {
  const query = new URLSearchParams();
  for (const [key, value] of Object.entries(params)) {
    if (value !== undefined && value !== null && value !== '') query.set(key, value);
  }
  const text = query.toString();
  return '#/' + path.map(encodeURIComponent).join('/') + (text ? '?' + text : '');
}

// setParams changes parameters of the page that is shown; '' removes one. It
// replaces the entry of the history, so that Back leaves the page and does not
// undo letters.
export function setParams(changes) {
  const { path, params } = parse(location.hash);
  const next = { ...Object.fromEntries(params), ...changes };
  history.replaceState(null, '', href(path.length ? path : ['network'], next));
  dispatchEvent(new HashChangeEvent('hashchange'));
}

export function useRoute() {
  const [route, setRoute] = useState(() => parse(location.hash));
  useEffect(() => {
    const changed = () => setRoute(parse(location.hash));
    addEventListener('hashchange', changed);
    return () => removeEventListener('hashchange', changed);
  }, []);
  return route;
}
