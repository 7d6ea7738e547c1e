import { html } from '../html.js';
import { useRoute } from '../route.js';
import { useOne } from '../query.js';
import { useRates } from '../prom.js';
import { ServerTable } from '../table.js';
import { Filters, chosen } from '../filters.js';
import { Badge, Tag } from '../badge.js';
import { Empty, Problem, Loading } from '../notice.js';
import { Age } from '../time.js';
import { Panel, RangeFilter } from '../chart/panel.js';
import { Heading, Facts, Tabs, useTab } from './shape.js';
import { ServiceLink, SiteLink, ProcessLink } from './link.js';
import { PairTable } from './pairs.js';
import { ConnectionTable, RequestTable, stateField, periodField, usePeriod, protocolName } from './flows.js';
import { count, rate, perSecond, percent, known } from '../format.js';
import { segment } from '../api.js';

const fields = [
  { key: 'name', label: 'Name starts with', hint: 'orders' },
  { key: 'isBound', label: 'State', options: [['', 'All'], ['true', 'Bound'], ['false', 'Not bound']] },
];

function Bound({ of: s }) {
  if (s.isBound) return html`<${Badge} kind="good">Bound<//>`;
  return html`<${Badge} kind="warn" title=${s.connectorCount ? 'no listener' : 'no connector'}>${s.connectorCount ? 'No listener' : 'No connector'}<//>`;
}

const Protocols = ({ of: s }) => html`<span class="tags"><${Tag}>${known(s.protocol).toUpperCase()}<//>${(s.observedApplicationProtocols ?? []).map((p) => html`<${Tag} key=${p}>${protocolName(p)}<//>`)}</span>`;

const columns = [
  { key: 'name', label: 'Service', sort: 'name', cell: (s) => html`<${ServiceLink} id=${s.identity} name=${s.name} />` },
  { key: 'bound', label: 'State', sort: 'isBound', cell: (s) => html`<${Bound} of=${s} />` },
  { key: 'protocol', label: 'Protocols', cell: (s) => html`<${Protocols} of=${s} />` },
  { key: 'listeners', label: 'Listeners', sort: 'listenerCount', number: true, cell: (s) => count(s.listenerCount) },
  { key: 'connectors', label: 'Connectors', sort: 'connectorCount', number: true, cell: (s) => count(s.connectorCount) },
  { key: 'sent', label: 'From clients', number: true, cell: (s, rates) => rate(rates.sent.get(s.name) ?? 0) },
  { key: 'received', label: 'From servers', number: true, cell: (s, rates) => rate(rates.received.get(s.name) ?? 0) },
  { key: 'open', label: 'Open', number: true, cell: (s, rates) => count(rates.open.get(s.name) ?? 0) },
  { key: 'requests', label: 'Requests', number: true, cell: (s, rates) => perSecond(rates.requests.get(s.name)) },
  { key: 'failed', label: 'Failed (5xx)', number: true, cell: (s, rates) => percent(rates.failed.get(s.name) ?? 0, rates.requests.get(s.name)) },
  { key: 'since', label: 'Known for', sort: 'startTime', newest: true, cell: (s) => html`<${Age} us=${s.startTime} />` },
];

const useServiceRates = (rows) => useRates('routing_key', rows.map((s) => s.name));

export function Page() {
  const { params } = useRoute();
  return html`<${Heading} title="Services" /><${Filters} fields=${fields} />
    <${ServerTable} path="services" params=${{ state: 'active', ...chosen(params, fields) }} caption="Services" sort="name.asc" columns=${columns} useMore=${useServiceRates}
      empty=${html`<${Empty} title="No services">A service appears when a site has a listener or a connector: <code>skupper listener create</code>, <code>skupper connector create</code>.<//>`} />`;
}

const tabs = [['overview', 'Overview'], ['ends', 'Listeners and connectors'], ['pairs', 'Clients and servers'], ['connections', 'Connections'], ['requests', 'HTTP requests']];

export function Detail({ id }) {
  const tab = useTab(tabs);
  const { record: s, error, first } = useOne(`services/${segment(id)}`);
  if (first) return html`<${Loading} what="the service" />`;
  return html`<${Heading} title=${s?.name ?? 'Service'} up=${{ path: ['services'], text: 'Services' }}>${s && html`<${Bound} of=${s} />`}<//>
    ${error && html`<${Problem} error=${error} />`}
    ${s && html`<div><${Tabs} of=${tabs} label="About the service" /></div><${Part} key=${tab} tab=${tab} service=${s} />`}`;
}

function Part({ tab, service }) {
  const { params } = useRoute();
  const id = service.identity;
  const period = usePeriod(params.get('period'));
  switch (tab) {
    case 'ends':
      return html`<${EndTable} kind="listeners" id=${id} /><${EndTable} kind="connectors" id=${id} />`;
    case 'pairs':
      return html`<${PairTable} path=${`services/${segment(id)}/processpairs`} caption="Clients and servers" />`;
    case 'connections':
      return html`<${Filters} fields=${[stateField, periodField]} ids=${['c']} /><${ConnectionTable} id="c" params=${{ serviceId: id, state: params.get('state') ?? '', ...period }} without=${['service']} />`;
    case 'requests':
      return html`<${Filters} fields=${[periodField]} ids=${['r']} /><${RequestTable} id="r" params=${{ serviceId: id, ...period }} without=${['service']} />`;
    default:
      return html`<${Facts} label="About the service" of=${[
          ['Protocols', html`<${Protocols} of=${service} />`], ['Listeners', count(service.listenerCount)], ['Connectors', count(service.connectorCount)], ['Known for', html`<${Age} us=${service.startTime} />`],
        ]} />
        <${RangeFilter} /><${Panel} filter=${{ routing_key: service.name }} />`;
  }
}

const endColumns = {
  listeners: [
    { key: 'name', label: 'Listener', sort: 'name', cell: (e) => e.name },
    { key: 'site', label: 'Site', sort: 'siteName', cell: (e) => html`<${SiteLink} id=${e.siteId} name=${e.siteName} />` },
    { key: 'at', label: 'Listens at', sort: 'destHost', cell: (e) => `${known(e.destHost)}:${known(e.destPort)}` },
    { key: 'flows', label: 'Connections so far', sort: 'flowCount', number: true, cell: (e) => count(e.flowCount) },
    { key: 'since', label: 'Since', sort: 'startTime', newest: true, cell: (e) => html`<${Age} us=${e.startTime} />` },
  ],
  connectors: [
    { key: 'name', label: 'Connector', sort: 'name', cell: (e) => e.name },
    { key: 'site', label: 'Site', sort: 'siteName', cell: (e) => html`<${SiteLink} id=${e.siteId} name=${e.siteName} />` },
    { key: 'at', label: 'Leads to', sort: 'destHost', cell: (e) => `${known(e.destHost)}:${known(e.destPort)}` },
    { key: 'target', label: 'Process', sort: 'target', cell: (e) => html`<${ProcessLink} id=${e.processId} name=${e.target} />` },
    { key: 'flows', label: 'Connections so far', sort: 'flowCount', number: true, cell: (e) => count(e.flowCount) },
    { key: 'since', label: 'Since', sort: 'startTime', newest: true, cell: (e) => html`<${Age} us=${e.startTime} />` },
  ],
};

function EndTable({ kind, id }) {
  const caption = kind === 'listeners' ? 'Listeners' : 'Connectors';
  return html`<${ServerTable} id=${kind} path=${kind} params=${{ state: 'active', serviceId: id }} caption=${caption} sort="siteName.asc" size=${20} columns=${endColumns[kind]}
    empty=${html`<${Empty} title="No ${kind}">${kind === 'listeners' ? 'Clients have nowhere to connect.' : 'Clients that connect are not answered.'}<//>`} />`;
}
