import { html } from '../html.js';
import { useRoute, href } from '../route.js';
import { useOne } from '../query.js';
import { ServerTable } from '../table.js';
import { Filters, chosen } from '../filters.js';
import { Badge, Tag } from '../badge.js';
import { Empty, Problem, Loading } from '../notice.js';
import { Ago } from '../time.js';
import { Panel, RangeFilter } from '../chart/panel.js';
import { Heading, Facts, Tabs, useTab } from './shape.js';
import { ProcessLink, ComponentLink, SiteLink } from './link.js';
import { PairTable } from './pairs.js';
import { ConnectionTable } from './flows.js';
import { known } from '../format.js';
import { segment } from '../api.js';

const fields = [
  { key: 'name', label: 'Name starts with' },
  { key: 'siteName', label: 'Site starts with' },
  { key: 'componentName', label: 'Component starts with' },
  { key: 'role', label: 'Role', options: [['', 'All'], ['external', 'External'], ['internal', 'Internal'], ['remote', 'Remote']] },
  { key: 'binding', label: 'Binding', options: [['', 'All'], ['bound', 'Bound'], ['unbound', 'Not bound']] },
  { key: 'sourceHost', label: 'Address starts with' },
];

// A service of a process is written name@id@protocol.
function Services({ of: list }) {
  if (!list?.length) return '–';
  return html`<span class="tags">${list.map((text) => {
    const [name, id] = text.split('@');
    return html`<a class="tag" key=${text} href=${href(['services', id])}>${name}</a>`;
  })}</span>`;
}

const Binding = ({ of: p }) => (p.binding === 'bound' ? html`<${Badge} kind="good">Bound<//>` : html`<${Badge} kind="idle">Not bound<//>`);

const columns = [
  { key: 'name', label: 'Process', sort: 'name', cell: (p) => html`<${ProcessLink} id=${p.identity} name=${p.name} />` },
  { key: 'site', label: 'Site', sort: 'siteName', cell: (p) => html`<${SiteLink} id=${p.siteId} name=${p.siteName} />` },
  { key: 'component', label: 'Component', sort: 'componentName', cell: (p) => html`<${ComponentLink} id=${p.componentId} name=${p.componentName} />` },
  { key: 'address', label: 'Address', sort: 'sourceHost', cell: (p) => known(p.sourceHost) },
  { key: 'role', label: 'Role', sort: 'role', cell: (p) => html`<${Tag}>${known(p.role)}<//>` },
  { key: 'binding', label: 'Binding', sort: 'binding', cell: (p) => html`<${Binding} of=${p} />` },
  { key: 'services', label: 'Serves', cell: (p) => html`<${Services} of=${p.services} />` },
  { key: 'since', label: 'First seen', sort: 'startTime', newest: true, cell: (p) => html`<${Ago} us=${p.startTime} />` },
];

export function ProcessTable({ params, without = [], id }) {
  return html`<${ServerTable} id=${id} path="processes" params=${{ state: 'active', ...params }} caption="Processes" sort="name.asc" columns=${columns.filter((c) => !without.includes(c.key))}
    empty=${html`<${Empty} title="No processes">Servers appear with their connectors, clients with their first connection.<//>`} />`;
}

export function Page() {
  const { params } = useRoute();
  return html`<${Heading} title="Processes" /><${Filters} fields=${fields} /><${ProcessTable} params=${chosen(params, fields)} />`;
}

const tabs = [['overview', 'Overview'], ['client', 'Traffic as a client'], ['server', 'Traffic as a server'], ['connections', 'Connections']];

export function Detail({ id }) {
  const tab = useTab(tabs);
  const { record: p, error, first } = useOne(`processes/${segment(id)}`);
  if (first) return html`<${Loading} what="the process" />`;
  return html`<${Heading} title=${p?.name ?? 'Process'} up=${{ path: ['processes'], text: 'Processes' }}>${p && html`<${Binding} of=${p} />`}<//>
    ${error && html`<${Problem} error=${error} />`}
    ${p && html`<div><${Tabs} of=${tabs} label="About the process" /></div><${Part} key=${tab} tab=${tab} process=${p} />`}`;
}

function Part({ tab, process: p }) {
  switch (tab) {
    case 'client':
      return html`<${RangeFilter} /><${Panel} filter=${{ source_process_name: p.name, source_site_id: p.siteId }} />`;
    case 'server':
      return html`<${RangeFilter} /><${Panel} filter=${{ dest_process_name: p.name, dest_site_id: p.siteId }} />`;
    case 'connections':
      return html`<${ConnectionTable} id="c" params=${{ sourceProcessId: p.identity }} without=${['client']} caption="Connections from it" />
        <${ConnectionTable} id="s" params=${{ destProcessId: p.identity }} without=${['server']} caption="Connections to it" />`;
    default:
      return html`<${Facts} label="About the process" of=${[
          ['Site', html`<${SiteLink} id=${p.siteId} name=${p.siteName} />`], ['Component', html`<${ComponentLink} id=${p.componentId} name=${p.componentName} />`], ['Address', known(p.sourceHost)],
          ['Host', known(p.hostName)], ['Image', known(p.imageName)], ['Role', known(p.role)], ['Serves', html`<${Services} of=${p.services} />`], ['First seen', html`<${Ago} us=${p.startTime} />`],
        ]} />
        <${PairTable} id="out" path="processpairs" params=${{ sourceId: p.identity }} caption="Servers that it connects to" />
        <${PairTable} id="in" path="processpairs" params=${{ destinationId: p.identity }} caption="Its clients" />`;
  }
}
