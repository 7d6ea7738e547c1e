import { html } from '../html.js';
import { useRoute } from '../route.js';
import { useOne } from '../query.js';
import { ServerTable } from '../table.js';
import { Filters, chosen } from '../filters.js';
import { Tag } from '../badge.js';
import { Empty, Problem, Loading } from '../notice.js';
import { Ago } from '../time.js';
import { Panel, RangeFilter } from '../chart/panel.js';
import { Heading, Facts, Tabs, useTab } from './shape.js';
import { ComponentLink } from './link.js';
import { PairTable } from './pairs.js';
import { ProcessTable } from './processes.js';
import { count, known } from '../format.js';
import { segment } from '../api.js';

const fields = [
  { key: 'name', label: 'Name starts with' },
  { key: 'role', label: 'Role', options: [['', 'All'], ['external', 'External'], ['internal', 'Internal'], ['remote', 'Remote']] },
];

const columns = [
  { key: 'name', label: 'Component', sort: 'name', cell: (c) => html`<${ComponentLink} id=${c.identity} name=${c.name} />` },
  { key: 'role', label: 'Role', sort: 'role', cell: (c) => html`<${Tag}>${known(c.role)}<//>` },
  { key: 'processes', label: 'Processes', sort: 'processCount', number: true, cell: (c) => count(c.processCount) },
  { key: 'since', label: 'First seen', sort: 'startTime', newest: true, cell: (c) => html`<${Ago} us=${c.startTime} />` },
];

export function Page() {
  const { params } = useRoute();
  return html`<${Heading} title="Components" lead="A component is what processes of the same group are together." /><${Filters} fields=${fields} />
    <${ServerTable} path="components" params=${{ state: 'active', ...chosen(params, fields) }} caption="Components" sort="name.asc" columns=${columns}
      empty=${html`<${Empty} title="No components">They appear with their first process.<//>`} />`;
}

const tabs = [['overview', 'Overview'], ['client', 'Traffic as a client'], ['server', 'Traffic as a server']];

export function Detail({ id }) {
  const tab = useTab(tabs);
  const { record: c, error, first } = useOne(`components/${segment(id)}`);
  if (first) return html`<${Loading} what="the component" />`;
  return html`<${Heading} title=${c?.name ?? 'Component'} up=${{ path: ['components'], text: 'Components' }} />
    ${error && html`<${Problem} error=${error} />`}
    ${c && html`<div><${Tabs} of=${tabs} label="About the component" /></div>
      ${tab === 'client' && html`<${RangeFilter} /><${Panel} filter=${{ source_component_id: id }} />`}
      ${tab === 'server' && html`<${RangeFilter} /><${Panel} filter=${{ dest_component_id: id }} />`}
      ${tab === 'overview' && html`<${Facts} label="About the component" of=${[['Role', known(c.role)], ['Processes', count(c.processCount)], ['First seen', html`<${Ago} us=${c.startTime} />`]]} />
        <${PairTable} id="out" path="componentpairs" params=${{ sourceId: id }} caption="Servers that it connects to" />
        <${PairTable} id="in" path="componentpairs" params=${{ destinationId: id }} caption="Its clients" />
        <${ProcessTable} id="p" params=${{ componentId: id }} without=${['component']} />`}`}`;
}
