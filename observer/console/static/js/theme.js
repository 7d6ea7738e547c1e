// Dark or light: what the system prefers until somebody presses the button;
// the choice is kept in the browser.
import { useState, useEffect } from './html.js';

const key = 'skupper-console-theme';
const system = matchMedia('(prefers-color-scheme: dark)');

function chosen() {
  try {
    return localStorage.getItem(key);
  } catch {
    return null; // storage is switched off
  }
}

export const current = () => chosen() ?? (system.matches ? 'dark' : 'light');

export function apply() {
  document.documentElement.dataset.theme = current();
  dispatchEvent(new Event('themechange'));
}

export function toggle() {
  const next = current() === 'dark' ? 'light' : 'dark';
  try {
    localStorage.setItem(key, next);
  } catch {
    // it then holds until the page is reloaded
  }
  document.documentElement.dataset.theme = next;
  dispatchEvent(new Event('themechange'));
}

system.addEventListener('change', apply);
apply();

// useTheme is 'dark' or 'light', as it is shown.
export function useTheme() {
  const read = () => document.documentElement.dataset.theme;
  const [theme, setTheme] = useState(read);
  useEffect(() => {
    const changed = () => setTheme(read());
    addEventListener('themechange', changed);
    return () => removeEventListener('themechange', changed);
  }, []);
  return theme;
}
