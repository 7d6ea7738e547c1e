// The API of the observer, asked relative to where the console is served, so
// that both may stand below any prefix.
const root = new URL('api/v2alpha1/', new URL('.', location.href.split('#')[0]));

export class ProblemError extends Error {
  constructor(message, status) {
    super(message);
    this.status = status; // of HTTP; 0 when there was no answer
  }
}

// address of a resource. A value that is a list becomes one parameter per
// element; undefined and '' are left out.
export function address(path, params = {}) {
  const url = new URL(path, root);
  for (const [key, value] of Object.entries(params)) {
    for (const one of [value].flat()) {
      if (one !== undefined && one !== null && one !== '') url.searchParams.append(key, one);
    }
  }
  return url.href;
}

// segment makes an identity one part of a path.
export const segment = (identity) => encodeURIComponent(identity);

export async function get(url, signal) {
  let answer;
  try {
    answer = await fetch(url, { signal, headers: { Accept: 'application/json' } });
  } catch (err) {
    if (err.name === 'AbortError') throw err;
    throw new ProblemError('The observer does not answer. It is asked again in a moment.', 0);
  }
  if (answer.status === 204) return null;
  if (answer.redirected && !(answer.headers.get('Content-Type') || '').includes('json')) {
    throw new ProblemError('You are signed out. Reload the page to sign in again.', 401);
  }
  if (!answer.ok) throw new ProblemError(await reason(answer), answer.status);
  return answer.json();
}

async function reason(answer) {
  if (answer.status === 401) return 'You are signed out. Reload the page to sign in again.';
  const text = await answer.text();
  let said = text.trim();
  try {
    const body = JSON.parse(text);
    said = body.message || body.error || '';
  } catch {
    // plain text is its own message
  }
  if (answer.status === 404) return said || 'The observer does not know this any more.';
  return `The observer answers ${answer.status}${said ? ': ' + said.slice(0, 200) : '.'}`;
}
