#!/usr/bin/python
# Apache License 2.0 (see LICENSE)
"""What is known of a site."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

DOCUMENTATION = r"""
---
module: site_info
short_description: What a Skupper site on a host is and does
version_added: "0.1.0"
description:
  - Asks the running site. Nothing is changed, and no key is returned.
extends_documentation_fragment:
  - skupper_host.site.common
"""

EXAMPLES = r"""
- name: Ask the site
  skupper_host.site.site_info:
  register: west

- name: Every link works
  ansible.builtin.assert:
    that: west.links | rejectattr('status.status', 'equalto', 'Ready') | length == 0
"""

RETURN = r"""
installed:
  description: Whether skupper is on this host.
  type: bool
  returned: always
exists:
  description: Whether the namespace is there.
  type: bool
  returned: always
state:
  description: How the site stands, such as C(running) or C(stopped).
  type: str
  returned: while it exists
namespaces:
  description: The names of all namespaces.
  type: list
  elements: str
  returned: always
site:
  description: The Site, with its status.
  type: dict
  returned: while it exists
links:
  description: The Links, with their status.
  type: list
  elements: dict
  returned: while it exists
listeners:
  description: The Listeners and MultiKeyListeners, with their status.
  type: list
  elements: dict
  returned: while it exists
connectors:
  description: The Connectors, with their status.
  type: list
  elements: dict
  returned: while it exists
network:
  description: The sites of the network.
  type: list
  elements: dict
  returned: while it exists
certificates:
  description: The certificates, with their expiry.
  type: list
  elements: dict
  returned: while it exists
versions:
  description: The versions of the program and its parts.
  type: dict
  returned: while it is installed
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.skupper_host.site.plugins.module_utils.skupper import Skupper, common_arguments

LISTS = dict(links=['link', 'status'], listeners=['listener', 'status'], connectors=['connector', 'status'],
             network=['network', 'status'], certificates=['cert', 'list'])


def main():
    module = AnsibleModule(argument_spec=common_arguments(), supports_check_mode=True)
    skupper = Skupper(module)
    result = dict(changed=False, installed=bool(skupper.path), exists=False, namespaces=[])
    if skupper.path:
        result['versions'] = skupper.json(['version'])
        known = skupper.namespaces()
        result['namespaces'] = sorted(known)
        here = known.get(skupper.namespace_name())
        if here:
            result.update(exists=True, state=here.get('state', ''))
            result['site'] = skupper.site()
            for name in LISTS:
                result[name] = skupper.items(LISTS[name])
    else:
        result['namespaces'] = skupper.waiting()
    module.exit_json(**result)


if __name__ == '__main__':
    main()
