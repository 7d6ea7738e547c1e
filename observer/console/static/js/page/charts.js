// Charts over time, of all traffic or of some.
import { html } from '../html.js';
import { useRoute } from '../route.js';
import { Filters } from '../filters.js';
import { Panel, rangeField } from '../chart/panel.js';
import { Heading } from './shape.js';

const fields = [
  rangeField,
  { key: 'service', label: 'Service', hint: 'exact name' },
  { key: 'from', label: 'Client’s site', hint: 'exact name' },
  { key: 'to', label: 'Server’s site', hint: 'exact name' },
];

export function Page() {
  const { params } = useRoute();
  const filter = { routing_key: params.get('service') ?? '', source_site_name: params.get('from') ?? '', dest_site_name: params.get('to') ?? '' };
  return html`<${Heading} title="Charts" lead="Kept by the observer itself: every 10 s of the last 2 h, every minute of the last 48 h." />
    <${Filters} fields=${fields} /><${Panel} filter=${filter} />`;
}
