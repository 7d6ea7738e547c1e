// What the API answers, kept while it is asked again: a refresh never blanks
// what is shown.
import { get, address } from './api.js';
import { useTick } from './live.js';
import { useState, useEffect } from './html.js';

// useQuery asks for path whenever it, its parameters or the time changes. The
// answer is {data, error, first}; first is true until the first answer to
// these parameters' path. A path of null asks nothing.
export function useQuery(path, params) {
  const url = path === null ? null : address(path, params);
  const tick = useTick();
  const [held, setHeld] = useState({ path: undefined });
  useEffect(() => {
    if (url === null) return undefined;
    const asked = new AbortController();
    get(url, asked.signal).then(
      (data) => setHeld({ path, url, data }),
      (error) => {
        if (error.name !== 'AbortError') setHeld((was) => ({ path, url, error, data: was.path === path ? was.data : undefined }));
      },
    );
    return () => asked.abort();
  }, [url, tick]);
  if (held.path !== path) return { first: path !== null };
  return { data: held.data, error: held.error, first: false, stale: held.url !== url };
}

const none = [];

// useList is useQuery of a list: {rows, total, error, first}.
export function useList(path, params) {
  const { data, error, first, stale } = useQuery(path, params);
  return { rows: data?.results ?? none, total: data?.timeRangeCount ?? 0, error, first, stale };
}

// useOne is useQuery of one record: {record, error, first}.
export function useOne(path) {
  const { data, error, first } = useQuery(path);
  return { record: data?.results, error, first };
}
