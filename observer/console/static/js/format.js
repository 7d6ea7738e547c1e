// Numbers and times as people read them. Times of the API are µs since 1970;
// 0 is "not set".
const none = '–';

const counts = new Intl.NumberFormat('en');
export const count = (n) => (n === undefined || n === null ? none : counts.format(n));

const units = ['B', 'kB', 'MB', 'GB', 'TB', 'PB'];

export function bytes(n) {
  if (n === undefined || n === null || Number.isNaN(n)) return none;
  let i = 0;
  while (Math.abs(n) >= 999.5 && i < units.length - 1) {
    n /= 1000;
    i++;
  }
  return `${i === 0 ? Math.round(n) : digits(n)} ${units[i]}`;
}

export const rate = (n) => (n === undefined || n === null || Number.isNaN(n) ? none : `${bytes(n)}/s`);

export function perSecond(n) {
  if (n === undefined || n === null || Number.isNaN(n)) return none;
  return n > 0 && n < 0.005 ? '< 0.01/s' : `${n === 0 ? '0' : digits(n)}/s`;
}

// digits keeps three of them.
function digits(n) {
  const size = Math.abs(n);
  return n.toFixed(size >= 99.95 ? 0 : size >= 9.995 ? 1 : 2);
}

export function percent(part, whole) {
  if (!whole || Number.isNaN(whole)) return none;
  const share = (100 * part) / whole;
  return share === 0 ? '0 %' : share < 0.1 ? '< 0.1 %' : `${digits(share)} %`;
}

// micros is a length of time in µs.
export function micros(us) {
  if (us === undefined || us === null) return none;
  if (us < 1000) return `${Math.round(us)} µs`;
  if (us < 999_500) return `${digits(us / 1000)} ms`;
  const s = us / 1e6;
  if (s < 60) return `${digits(s)} s`;
  if (s < 3600) return `${Math.floor(s / 60)} min ${Math.floor(s % 60)} s`;
  if (s < 86400) return `${Math.floor(s / 3600)} h ${Math.floor((s % 3600) / 60)} min`;
  return `${counts.format(Math.floor(s / 86400))} d ${Math.floor((s % 86400) / 3600)} h`;
}

// ago is the same in a sentence.
export function ago(us, now = Date.now()) {
  if (!us) return none;
  return now / 1000 - us / 1e6 < 2 ? 'just now' : `${age(us, now)} ago`;
}

// age is how long it has been since, in its two largest units at most.
export function age(us, now = Date.now()) {
  if (!us) return none;
  const s = Math.max(0, Math.floor(now / 1000 - us / 1e6));
  return s < 60 ? `${s} s` : micros(s * 1e6).replace(/ 0 (s|min|h)$/, '');
}

const full = new Intl.DateTimeFormat('sv-SE', { dateStyle: 'short', timeStyle: 'medium' });
export const moment = (us) => (us ? full.format(us / 1000) : none);

const clock = new Intl.DateTimeFormat('sv-SE', { hour: '2-digit', minute: '2-digit', second: '2-digit', fractionalSecondDigits: 3 });
const day = new Intl.DateTimeFormat('sv-SE', { dateStyle: 'short' });

// at is the time of day, with the date where it is not today.
export function at(us, now = Date.now()) {
  if (!us) return none;
  const then = new Date(us / 1000);
  const text = clock.format(then).replace(',', '.');
  return day.format(then) === day.format(now) ? text : `${day.format(then)} ${text}`;
}

// known is the text, or a dash where the API has nothing to say.
export const known = (text) => (text === undefined || text === null || text === '' || text === 'unknown' ? none : text);

// plural: plural(2, 'link') is "2 links".
export const plural = (n, one, many = one + 's') => `${count(n)} ${n === 1 ? one : many}`;
