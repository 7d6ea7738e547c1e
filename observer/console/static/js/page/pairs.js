// Who talks to whom.
import { html } from '../html.js';
import { ServerTable } from '../table.js';
import { Ago } from '../time.js';
import { Tag } from '../badge.js';
import { Empty } from '../notice.js';
import { known } from '../format.js';
import { ProcessLink, ComponentLink, SiteLink } from './link.js';

const ends = { processpairs: ProcessLink, componentpairs: ComponentLink, sitepairs: SiteLink };

// PairTable lists clients and servers; path is the API's list of pairs.
export function PairTable({ id = 'pairs', path, params, caption }) {
  const kind = path.split('/').pop();
  const End = ends[kind];
  const columns = [
    { key: 'client', label: 'Client', sort: 'sourceName', cell: (p) => html`<${End} id=${p.sourceId} name=${p.sourceName} />` },
    ...(kind === 'processpairs' ? [{ key: 'clientSite', label: 'Client’s site', sort: 'sourceSiteName', cell: (p) => html`<${SiteLink} id=${p.sourceSiteId} name=${p.sourceSiteName} />` }] : []),
    { key: 'server', label: 'Server', sort: 'destinationName', cell: (p) => html`<${End} id=${p.destinationId} name=${p.destinationName} />` },
    ...(kind === 'processpairs' ? [{ key: 'serverSite', label: 'Server’s site', sort: 'destinationSiteName', cell: (p) => html`<${SiteLink} id=${p.destinationSiteId} name=${p.destinationSiteName} />` }] : []),
    { key: 'protocol', label: 'Protocol', sort: 'protocol', cell: (p) => html`<${Tag}>${known(p.protocol)}<//>` },
    { key: 'since', label: 'First seen', sort: 'startTime', newest: true, cell: (p) => html`<${Ago} us=${p.startTime} />` },
  ];
  return html`<${ServerTable} id=${id} path=${path} params=${{ state: 'active', ...params }} caption=${caption} sort="sourceName.asc" columns=${columns}
    empty=${html`<${Empty} title="Nobody has talked to anybody yet">A pair appears with the first connection.<//>`} />`;
}
