import { html } from '../html.js';
import { useRoute } from '../route.js';
import { useList, useOne } from '../query.js';
import { useHeard } from '../liveness.js';
import { ServerTable } from '../table.js';
import { Filters, chosen } from '../filters.js';
import { Badge } from '../badge.js';
import { Empty, Problem, Loading } from '../notice.js';
import { Ago, Age } from '../time.js';
import { Panel, RangeFilter } from '../chart/panel.js';
import { Heading, Facts, Tabs, useTab } from './shape.js';
import { SiteLink } from './link.js';
import { LinkTable } from './links.js';
import { SourceTable } from './sources.js';
import { ProcessTable } from './processes.js';
import { PairTable } from './pairs.js';
import { count, known } from '../format.js';
import { segment } from '../api.js';

const fields = [
  { key: 'name', label: 'Name starts with', hint: 'west' },
  { key: 'platform', label: 'Platform', options: [['', 'All'], ['linux', 'linux'], ['podman', 'podman'], ['docker', 'docker'], ['kubernetes', 'kubernetes']] },
  { key: 'version', label: 'Version starts with' },
];

export function Heard({ of: heard }) {
  if (!heard) return html`<${Badge} kind="idle">Not known<//>`;
  return heard.alive ? html`<${Badge} kind="good">Live<//>` : html`<${Badge} kind="bad">Silent<//>`;
}

function LinkCounts({ up = 0, down = 0 }) {
  if (up + down === 0) return '–';
  return html`${up > 0 && html`<${Badge} kind="good">${up} up<//>`} ${down > 0 && html`<${Badge} kind="bad">${down} down<//>`}`;
}

// useAround is what belongs to the sites of one page: when they were heard and
// how their links are, those that they dial and those that they take.
function useAround(rows) {
  const ids = rows.map((s) => s.identity);
  const heard = useHeard(ids);
  const asked = { state: 'active', limit: 500 };
  const out = useList(ids.length ? 'routerlinks' : null, { ...asked, sourceSiteId: ids });
  const into = useList(ids.length ? 'routerlinks' : null, { ...asked, destinationSiteId: ids });
  const links = new Map();
  const add = (id, link) => {
    const of = links.get(id) ?? { up: 0, down: 0 };
    of[link.status === 'up' ? 'up' : 'down']++;
    links.set(id, of);
  };
  for (const link of out.rows) add(link.sourceSiteId, link);
  for (const link of into.rows) add(link.destinationSiteId, link);
  return { heard, links };
}

const columns = [
  { key: 'name', label: 'Site', sort: 'name', cell: (s) => html`<${SiteLink} id=${s.identity} name=${s.name} />` },
  { key: 'state', label: 'State', cell: (s, more) => html`<${Heard} of=${more.heard.get(s.identity)} />` },
  { key: 'links', label: 'Links', cell: (s, more) => html`<${LinkCounts} ...${more.links.get(s.identity) ?? {}} />` },
  { key: 'platform', label: 'Platform', sort: 'platform', cell: (s) => known(s.platform) },
  { key: 'version', label: 'Version', sort: 'version', cell: (s) => known(s.version) },
  { key: 'namespace', label: 'Namespace', sort: 'namespace', cell: (s) => known(s.namespace) },
  { key: 'routers', label: 'Routers', sort: 'routerCount', number: true, cell: (s) => count(s.routerCount) },
  { key: 'heard', label: 'Last heard', cell: (s, more) => html`<${Ago} us=${more.heard.get(s.identity)?.last} />` },
  { key: 'since', label: 'Running for', sort: 'startTime', newest: true, cell: (s) => html`<${Age} us=${s.startTime} />` },
];

export function Page() {
  const { params } = useRoute();
  return html`<${Heading} title="Sites" /><${Filters} fields=${fields} />
    <${ServerTable} path="sites" params=${{ state: 'active', ...chosen(params, fields) }} caption="Sites" sort="name.asc" columns=${columns} useMore=${useAround}
      empty=${html`<${Empty} title="No sites">Sites appear within seconds of the observer reaching a router of the network.<//>`} />`;
}

const tabs = [['overview', 'Overview'], ['clients', 'Traffic of its clients'], ['servers', 'Traffic of its servers'], ['processes', 'Processes'], ['pairs', 'Talks to']];

export function Detail({ id }) {
  const tab = useTab(tabs);
  const { record: s, error, first } = useOne(`sites/${segment(id)}`);
  const heard = useHeard([id]).get(id);
  if (first) return html`<${Loading} what="the site" />`;
  return html`<${Heading} title=${s?.name ?? 'Site'} up=${{ path: ['sites'], text: 'Sites' }}>${s && html`<${Heard} of=${heard} />`}<//>
    ${error && html`<${Problem} error=${error} />`}
    ${s && html`<div><${Tabs} of=${tabs} label="About the site" /></div><${Part} key=${tab} tab=${tab} site=${s} heard=${heard} />`}`;
}

const routerColumns = [
  { key: 'name', label: 'Router', sort: 'name', cell: (r) => r.name },
  { key: 'mode', label: 'Mode', sort: 'mode', cell: (r) => known(r.mode) },
  { key: 'host', label: 'Host', sort: 'hostName', cell: (r) => known(r.hostName) },
  { key: 'version', label: 'Version', sort: 'buildVersion', cell: (r) => known(r.buildVersion) },
  { key: 'since', label: 'Running for', sort: 'startTime', newest: true, cell: (r) => html`<${Age} us=${r.startTime} />` },
];

function Part({ tab, site, heard }) {
  const id = site.identity;
  switch (tab) {
    case 'clients':
      return html`<${RangeFilter} /><${Panel} filter=${{ source_site_id: id }} />`;
    case 'servers':
      return html`<${RangeFilter} /><${Panel} filter=${{ dest_site_id: id }} />`;
    case 'processes':
      return html`<${ProcessTable} params=${{ siteId: id }} without=${['site']} />`;
    case 'pairs':
      return html`<${PairTable} id="out" path="sitepairs" params=${{ sourceId: id }} caption="Where its clients connect" /><${PairTable} id="in" path="sitepairs" params=${{ destinationId: id }} caption="Who connects to its servers" />`;
    default:
      return html`<${Facts} label="About the site" of=${[
          ['Platform', known(site.platform)], ['Version', known(site.version)], ['Namespace', known(site.namespace)], 
          ['Last heard', html`<${Ago} us=${heard?.last} />`], ['Running for', html`<${Age} us=${site.startTime} />`], ['Site id', html`<span class="mono">${id}</span>`, true],
        ]} />
        <${LinkTable} id="out" params=${{ sourceSiteId: id }} caption="Links to other sites" empty=${html`<${Empty} title="It dials no other site" />`} />
        <${LinkTable} id="in" params=${{ destinationSiteId: id }} caption="Links from other sites" empty=${html`<${Empty} title="No other site dials it" />`} />
        <${ServerTable} id="routers" path="routers" params=${{ state: 'active', siteId: id }} caption="Routers" sort="name.asc" columns=${routerColumns} empty=${html`<${Empty} title="No router is known" />`} />
        <${SourceTable} id="sources" params=${{ siteId: id }} without=${['site']} />`;
  }
}
