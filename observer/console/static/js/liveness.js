// Which sites are silent, and when sites were last heard. A large network has
// thousands of sources: only the stalest are asked for, and then all of the
// sites that these belong to, because a site with one silent source may have
// another that is alive.
import { useList } from './query.js';
import { silentSites } from './map/model.js';

const stalest = 100;
const suspects = 40;

export function useSilentSites() {
  const first = useList('sources', { sortBy: 'lastHeard.asc', limit: stalest, ...always });
  const ids = [...new Set(first.rows.filter((s) => s.state !== 'live' && known(s.siteId)).map((s) => s.siteId))].slice(0, suspects);
  const theirs = useList(ids.length ? 'sources' : null, { siteId: ids, ...always });
  return ids.length ? silentSites(theirs.rows) : new Set();
}

// useHeard is the sources of the given sites by site: {state, last}.
export function useHeard(ids) {
  const { rows } = useList(ids.length ? 'sources' : null, { siteId: ids, ...always });
  const heard = new Map();
  for (const s of rows) {
    const was = heard.get(s.siteId);
    heard.set(s.siteId, { alive: Boolean(was?.alive) || s.state === 'live' || s.state === 'new', last: Math.max(was?.last ?? 0, s.lastHeard) });
  }
  return heard;
}

const known = (id) => id && id !== 'unknown';

// A source that was given up long ago is still listed.
export const always = { timeRangeStart: 0 };
