// When to ask again. The observer says over server-sent events that something
// has changed; where that stream is not to be had, it is asked every few
// seconds. A page that nobody sees asks nothing.
import { address } from './api.js';
import { useState, useEffect } from './html.js';

const atLeast = 2000; // ms between two refreshes, however much changes
const quiet = 5000; // ms: rates and connections move although nothing is announced
const poll = 5000; // ms without a stream
const retry = 20000; // ms until the stream is tried again

// Lists whose changes are announced as they happen. Those of connections and
// requests never rest.
const lists = ['sites', 'routers', 'routerlinks', 'listeners', 'connectors', 'services', 'components', 'processes', 'sources', 'logs'];

class Live {
  constructor() {
    this.tick = 0;
    this.state = 'polling'; // live, polling, paused, hidden
    this.paused = false;
    this.listeners = new Set();
    this.last = 0;
  }

  start() {
    document.addEventListener('visibilitychange', () => this.arrange(true));
    this.arrange(false);
  }

  pause(paused) {
    this.paused = paused;
    this.arrange(!paused);
  }

  // refresh asks at once, also while paused: somebody pressed a button.
  refresh() {
    clearTimeout(this.soon);
    this.soon = undefined;
    this.last = performance.now();
    this.tick++;
    this.tell();
  }

  arrange(refresh) {
    this.close();
    if (this.paused || document.hidden) {
      this.become(this.paused ? 'paused' : 'hidden');
      return;
    }
    if (refresh) this.refresh();
    this.connect();
  }

  close() {
    this.stream?.close();
    this.stream = undefined;
    for (const timer of [this.soon, this.later, this.again]) clearTimeout(timer);
    this.soon = this.later = this.again = undefined;
  }

  connect() {
    this.become('polling');
    this.every(poll);
    const stream = (this.stream = new EventSource(address('events', { kinds: lists.join(',') })));
    const changed = () => this.change();
    for (const name of [...lists, 'resync']) stream.addEventListener(name, changed);
    stream.addEventListener('open', () => {
      this.become('live');
      this.every(quiet);
    });
    stream.addEventListener('error', () => {
      this.become('polling');
      this.every(poll);
      if (stream.readyState === EventSource.CLOSED && !this.again) {
        this.again = setTimeout(() => this.arrange(false), retry);
      }
    });
  }

  every(interval) {
    clearTimeout(this.later);
    this.later = setTimeout(() => {
      this.refresh();
      this.every(interval);
    }, interval);
  }

  change() {
    if (this.soon) return;
    const wait = Math.max(0, this.last + atLeast - performance.now());
    this.soon = setTimeout(() => this.refresh(), wait);
  }

  become(state) {
    if (this.state === state) return;
    this.state = state;
    this.tell();
  }

  tell() {
    for (const listener of this.listeners) listener();
  }
}

export const live = new Live();

function useLive(read) {
  const [value, setValue] = useState(read);
  useEffect(() => {
    const listener = () => setValue(read());
    live.listeners.add(listener);
    listener();
    return () => live.listeners.delete(listener);
  }, []);
  return value;
}

// useTick is a number that grows whenever pages should ask again.
export const useTick = () => useLive(() => live.tick);
export const useLiveState = () => useLive(() => live.state);
