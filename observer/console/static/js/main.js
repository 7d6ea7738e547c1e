// The frame round the pages: navigation, the state of the live view, theme.
import { render } from '../vendor/preact.mjs';
import { html, useState, useEffect, useRef } from './html.js';
import { useRoute, href } from './route.js';
import { live, useLiveState } from './live.js';
import { useTheme, toggle } from './theme.js';
import { useQuery } from './query.js';
import { Icon } from './icon.js';
import { Badge } from './badge.js';
import { Problem, NoRouter, Loading, Empty } from './notice.js';
import * as network from './page/network.js';

// Each page is a module that is loaded when it is first opened; the map, which
// is opened first, comes with the frame.
const load = {
  network: async () => network,
  sites: () => import('./page/sites.js'),
  services: () => import('./page/services.js'),
  connections: () => import('./page/connections.js'),
  requests: () => import('./page/requests.js'),
  processes: () => import('./page/processes.js'),
  components: () => import('./page/components.js'),
  charts: () => import('./page/charts.js'),
  logs: () => import('./page/logs.js'),
  sources: () => import('./page/sources.js'),
};

const menu = [
  ['Overview', [['network', 'Network'], ['sites', 'Sites'], ['services', 'Services']]],
  ['Traffic', [['connections', 'Connections'], ['requests', 'HTTP requests'], ['charts', 'Charts']]],
  ['Workloads', [['components', 'Components'], ['processes', 'Processes']]],
  ['Observer', [['logs', 'Router logs'], ['sources', 'Event sources']]],
];

const loaded = { network };

function usePage(name) {
  const [, redraw] = useState(0);
  const [error, setError] = useState();
  useEffect(() => {
    setError(undefined);
    if (loaded[name] || !load[name]) return;
    load[name]().then(
      (page) => {
        loaded[name] = page;
        redraw((n) => n + 1);
      },
      () => setError(new Error('This page could not be loaded. Reload to try again.')),
    );
  }, [name]);
  return { page: loaded[name], error };
}

function Shown({ route }) {
  const [name = 'network', ...rest] = route.path;
  const { page, error } = usePage(name);
  useFocusOnNewPage(route.path.join('/'), page);
  if (!load[name]) return html`<h1 tabindex="-1" id="title">No such page</h1><${Empty} title="The console has no page of this name"><a href="#/network">Go to the network map</a><//>`;
  if (error) return html`<${Problem} error=${error} />`;
  if (!page) return html`<${Loading} what="this page" />`;
  return rest.length > 0 && page.Detail
    ? html`<${page.Detail} key=${rest[0]} id=${rest[0]} />`
    : html`<${page.Page} key=${name} />`;
}

// Whoever reads by ear hears the title of a page that was opened, and Tab goes
// on from there. The first page leaves the focus where the browser has it.
function useFocusOnNewPage(path, page) {
  const before = useRef();
  useEffect(() => {
    if (!page) return;
    if (before.current !== undefined && before.current !== path) {
      document.getElementById('title')?.focus({ preventScroll: true });
      scrollTo(0, 0);
    }
    before.current = path;
  }, [path, page]);
}

const says = { live: ['good', 'Live'], polling: ['note', 'Every 5 s'], paused: ['warn', 'Paused'], hidden: ['idle', 'Waiting'] };

function LiveState() {
  const state = useLiveState();
  const [kind, text] = says[state];
  const paused = state === 'paused';
  return html`<div class="live" role="group" aria-label="Refreshing">
    <${Badge} kind=${kind}>${text}<//>
    <button type="button" class="round" aria-label=${paused ? 'Go on refreshing' : 'Pause refreshing'} title=${paused ? 'Go on refreshing' : 'Pause refreshing'} onClick=${() => live.pause(!paused)}><${Icon} name=${paused ? 'play' : 'pause'} /></button>
    <button type="button" class="round" aria-label="Refresh now" title="Refresh now" onClick=${() => live.refresh()}><${Icon} name="refresh" /></button>
  </div>`;
}

function Theme() {
  const theme = useTheme();
  const other = theme === 'dark' ? 'light' : 'dark';
  return html`<button type="button" class="round" aria-label="Use the ${other} theme" title="Use the ${other} theme" onClick=${toggle}><${Icon} name=${theme === 'dark' ? 'sun' : 'moon'} /></button>`;
}

function User() {
  const { data } = useQuery('user');
  if (!data?.username) return null;
  return html`<div class="user"><${Icon} name="user" /><span>${data.username}</span><form method="post" action="logout"><button type="submit" class="link">Sign out</button></form></div>`;
}

function Router() {
  const { data } = useQuery('observer');
  return html`<${NoRouter} observer=${data} />`;
}

function Menu({ at, open, close }) {
  return html`<nav id="menu" class=${open ? 'menu open' : 'menu'} aria-label="Pages">
    ${menu.map(([group, entries]) => html`<div key=${group} class="menu-group"><p id="menu-${group}">${group}</p>
      <ul aria-labelledby="menu-${group}">${entries.map(([name, text]) => html`<li key=${name}><a href=${href([name])} aria-current=${name === at ? 'page' : undefined} onClick=${close}><${Icon} name=${name} />${text}</a></li>`)}</ul></div>`)}
  </nav>`;
}

function Console() {
  const route = useRoute();
  const [open, setOpen] = useState(false);
  const at = route.path[0] ?? 'network';
  const close = () => setOpen(false);
  return html`
    <a class="skip" href="#main" onClick=${(e) => { e.preventDefault(); document.getElementById('main').focus(); }}>Skip to the page</a>
    <header class="bar">
      <button type="button" class="round burger" aria-expanded=${open} aria-controls="menu" aria-label="Pages" onClick=${() => setOpen(!open)}><${Icon} name=${open ? 'close' : 'menu'} /></button>
      <a class="brand" href="#/network" aria-label="Skupper observer"><svg viewBox="0 0 24 24" aria-hidden="true" focusable="false"><path d="M12 3v18M4.200 7.500l15.600 9M19.800 7.500l-15.600 9" /><circle cx="12" cy="12" r="4" /></svg><span>Skupper <b>observer</b></span></a>
      <div class="bar-end"><${LiveState} /><${Theme} /><${User} /></div>
    </header>
    <${Menu} at=${at} open=${open} close=${close} />
    <main id="main" tabindex="-1"><${Router} /><${Shown} route=${route} /></main>`;
}

// The search field of a page is one key away, as in other tools.
addEventListener('keydown', (e) => {
  if (e.key !== '/' || e.ctrlKey || e.metaKey || e.altKey || e.target.closest?.('input, select, textarea')) return;
  const field = document.querySelector('main input[type=search]');
  if (!field) return;
  e.preventDefault();
  field.focus();
});

const frame = document.getElementById('console');
frame.replaceChildren();
render(html`<${Console} />`, frame);
live.start();
