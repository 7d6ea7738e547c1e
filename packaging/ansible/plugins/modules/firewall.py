#!/usr/bin/python
# Apache License 2.0 (see LICENSE)
"""The ports of a host's sites, in its firewall."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

DOCUMENTATION = r"""
---
module: firewall
short_description: Opens the ports of Skupper sites in the firewall of a host
version_added: "0.1.0"
description:
  - Describes the ports of all sites that accept links, and that of tokens, to firewalld or ufw as one service, C(skupper-sites), and
    opens that. Where no site accepts links, nothing is opened.
  - Other rules are left alone, and so is the service C(skupper) of the packages, which has the ports that a first site takes.
extends_documentation_fragment:
  - skupper_host.site.common
options:
  firewall:
    description:
      - The firewall of the host. With C(none), what this module has opened is closed.
    type: str
    choices: [none, firewalld, ufw]
    required: true
  token_port:
    description:
      - The port at which tokens are redeemed, 0 for none.
    type: int
    default: 9090
  expected:
    description:
      - Whether a site that accepts links is to come, which check mode cannot see.
    type: bool
    default: false
"""

EXAMPLES = r"""
- name: Let others link to the sites of this host
  skupper_host.site.firewall:
    firewall: ufw
"""

RETURN = r"""
ports:
  description: The ports that are open, or would be.
  type: list
  elements: int
  returned: always
"""

import os

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.skupper_host.site.plugins.module_utils.skupper import Skupper, common_arguments

# The file that describes the service, what opens it, and what closes it once the file is there no more.
FIREWALLS = dict(
    firewalld=dict(
        path='/etc/firewalld/services/skupper-sites.xml', program='firewall-cmd',
        opened=[['firewall-cmd', '--reload'],
                ['firewall-cmd', '--permanent', '--add-service=skupper-sites'],
                ['firewall-cmd', '--reload']],
        closing=[['firewall-cmd', '--permanent', '--remove-service=skupper-sites']],
        closed=[['firewall-cmd', '--reload']]),
    ufw=dict(
        path='/etc/ufw/applications.d/skupper-sites', program='ufw',
        opened=[['ufw', 'app', 'update', 'skupper-sites'], ['ufw', 'allow', 'skupper-sites']],
        closing=[['ufw', 'delete', 'allow', 'skupper-sites']],
        closed=[]),
)


def text(firewall, ports):
    """The file that describes the service."""
    if not ports:
        return ''
    if firewall == 'ufw':
        return '[skupper-sites]\ntitle=Skupper sites\ndescription=Links of other sites, and tokens\nports={0}/tcp\n'.format(','.join(str(p) for p in ports))
    lines = ''.join('  <port protocol="tcp" port="{0}"/>\n'.format(p) for p in ports)
    return ('<?xml version="1.0" encoding="utf-8"?>\n<service>\n  <short>Skupper sites</short>\n'
            '  <description>Links of other sites, and tokens</description>\n{0}</service>\n').format(lines)


def read(path):
    if not os.path.exists(path):
        return ''
    with open(path) as f:
        return f.read()


def ports(module, skupper):
    """The ports of the sites that accept links."""
    found = set()
    if not skupper.path:
        return []
    for name in sorted(skupper.namespaces()):
        module.params['namespace'] = name
        for endpoint in skupper.site().get('status', {}).get('endpoints') or []:
            found.add(int(endpoint['port']))
    if found and module.params['token_port']:
        found.add(module.params['token_port'])
    return sorted(found)


def change(module, commands):
    for command in commands:
        code, out, err = module.run_command(command)
        if code != 0:
            module.fail_json(msg='{0}: {1}'.format(' '.join(command), (err or out).strip()), rc=code)


def put(module, firewall, wanted):
    """Has the file and the firewall as they are wanted; the difference, if there is one."""
    how = FIREWALLS[firewall]
    before = read(how['path'])
    if before == wanted:
        return None
    if not module.check_mode:
        # Nothing is written that the firewall cannot be told.
        module.get_bin_path(how['program'], required=bool(wanted))
        if wanted:
            with open(how['path'], 'w') as f:
                f.write(wanted)
            change(module, how['opened'])
        else:
            there = module.get_bin_path(how['program'])
            change(module, how['closing'] if there else [])
            os.remove(how['path'])
            change(module, how['closed'] if there else [])
    return dict(before=before, after=wanted, before_header=how['path'], after_header=how['path'])


def main():
    module = AnsibleModule(
        argument_spec=common_arguments(
            firewall=dict(type='str', choices=['none', 'firewalld', 'ufw'], required=True),
            token_port=dict(type='int', default=9090),
            expected=dict(type='bool', default=False)),
        supports_check_mode=True)
    skupper = Skupper(module)
    chosen = module.params['firewall']
    if chosen != 'none' and not module.get_bin_path(FIREWALLS[chosen]['program']):
        module.fail_json(msg='{0} is not on this host'.format(FIREWALLS[chosen]['program']),
                         hint='install {0}, or choose another firewall'.format(chosen))
    opened = [] if chosen == 'none' else ports(module, skupper)
    differences = []
    for name in sorted(FIREWALLS):
        differences.append(put(module, name, text(name, opened) if name == chosen else ''))
    differences = [d for d in differences if d]
    # The ports of a site that is to be made are found when it is.
    to_come = module.check_mode and chosen != 'none' and module.params['expected'] and not opened
    result = dict(changed=bool(differences) or to_come, ports=opened)
    if module._diff and differences:
        result['diff'] = differences
    module.exit_json(**result)


if __name__ == '__main__':
    main()
