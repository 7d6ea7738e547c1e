# Apache License 2.0 (see LICENSE)
"""Resources of a site from the variables of the role."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

DOCUMENTATION = r"""
name: resources
short_description: The resources of a namespace that the role skupper_host.site.site describes
version_added: "0.1.0"
description:
  - Makes a list of resources from one item of C(skupper_namespaces).
options:
  _input:
    description: The item.
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: What the role would apply
  ansible.builtin.debug:
    msg: "{{ {'name': 'west', 'site': {'link_access': true}} | skupper_host.site.resources }}"
"""

RETURN = r"""
_value:
  description: The resources.
  type: list
  elements: dict
"""

from ansible.errors import AnsibleFilterError

API = 'skupper.io/v2alpha1'

# The keys of an item, and of what is in it: a wrong one is an error, not a surprise.
KEYS = dict(
    namespace=['name', 'state', 'site', 'listeners', 'connectors', 'links', 'certificates', 'resources', 'directory'],
    site=['name', 'link_access', 'edge', 'hosts', 'inter_router_port', 'edge_port', 'settings'],
    listener=['name', 'port', 'host', 'routing_key', 'tls_credentials', 'observer', 'settings', 'keys', 'strategy',
              'require_client_cert'],
    connector=['name', 'port', 'host', 'routing_key', 'tls_credentials', 'verify_hostname', 'use_client_cert', 'settings'],
    certificate=['name', 'cert', 'key', 'ca'],
)

# What fields are called in resources.
FIELDS = dict(routing_key='routingKey', tls_credentials='tlsCredentials', verify_hostname='verifyHostname',
              use_client_cert='useClientCert', require_client_cert='requireClientCert')


def check(what, given):
    if not isinstance(given, dict):
        raise AnsibleFilterError('{0}: a dictionary is expected, not {1!r}'.format(what, given))
    wrong = sorted(set(given) - set(KEYS[what]))
    if wrong:
        raise AnsibleFilterError('{0} {1}: {2}: not one of {3}'.format(
            what, given.get('name', ''), ', '.join(wrong), ', '.join(KEYS[what])))
    return given


def resource(kind, name, spec):
    return dict(apiVersion=API, kind=kind, metadata=dict(name=name), spec=spec)


def strings(settings):
    """Settings are text in resources, whatever YAML made of them."""
    return dict((k, str(v).lower() if isinstance(v, bool) else str(v)) for k, v in settings.items())


def fields(given, *without):
    spec = {}
    for k, v in given.items():
        if k == 'name' or k in without or v is None:
            continue
        spec[FIELDS.get(k, k)] = strings(v) if k == 'settings' else int(v) if k == 'port' else v
    return spec


def site(namespace, given):
    check('site', given)
    name = given.get('name') or namespace
    spec = {}
    if given.get('edge'):
        spec['edge'] = True
    if given.get('settings'):
        spec['settings'] = strings(given['settings'])
    hosts = given.get('hosts') or []
    if not hosts:
        for k in ('inter_router_port', 'edge_port'):
            if given.get(k):
                raise AnsibleFilterError('site {0}: {1} needs hosts, the names at which others reach this host'.format(name, k))
        if given.get('link_access'):
            spec['linkAccess'] = 'default'
        return [resource('Site', name, spec)]
    roles = []
    for role, k in (('inter-router', 'inter_router_port'), ('edge', 'edge_port')):
        roles.append(dict(name=role, port=int(given[k])) if given.get(k) else dict(name=role))
    return [resource('Site', name, spec),
            resource('RouterAccess', name, dict(roles=roles, subjectAlternativeNames=list(hosts)))]


def listener(given):
    check('listener', given)
    if not given.get('keys'):
        spec = fields(given, 'strategy', 'keys')
        spec.setdefault('routingKey', given['name'])
        spec.setdefault('host', '0.0.0.0')
        return resource('Listener', given['name'], spec)
    spec = fields(given, 'strategy', 'keys', 'routing_key')
    spec.setdefault('host', '0.0.0.0')
    keys, strategy = given['keys'], given.get('strategy') or 'priority'
    if strategy == 'weighted' and not isinstance(keys, dict):
        keys = dict((k, 1) for k in keys)
    spec['strategy'] = {strategy: dict(routingKeys=keys)}
    return resource('MultiKeyListener', given['name'], spec)


def connector(given):
    check('connector', given)
    spec = fields(given)
    spec.setdefault('routingKey', given['name'])
    spec.setdefault('host', 'localhost')
    return resource('Connector', given['name'], spec)


def certificate(given):
    check('certificate', given)
    data = {}
    for k, name in (('ca', 'ca.crt'), ('cert', 'tls.crt'), ('key', 'tls.key')):
        if given.get(k):
            data[name] = given[k]
    return dict(apiVersion='v1', kind='Secret', type='kubernetes.io/tls', metadata=dict(name=given['name']), stringData=data)


def resources(given):
    """The resources of one item of skupper_namespaces."""
    check('namespace', given)
    made = site(given.get('name', 'default'), given['site']) if given.get('site') is not None else []
    made += [certificate(c) for c in given.get('certificates') or []]
    made += [listener(x) for x in given.get('listeners') or []]
    made += [connector(x) for x in given.get('connectors') or []]
    return made + list(given.get('resources') or [])


class FilterModule(object):
    """The filters of this collection."""

    def filters(self):
        return dict(resources=resources)
