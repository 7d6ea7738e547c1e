#!/usr/bin/python
# Apache License 2.0 (see LICENSE)
"""Certificates of a site."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

DOCUMENTATION = r"""
---
module: certificate
short_description: Renews certificates that a Skupper site makes for itself
version_added: "0.1.0"
description:
  - Renews those that end soon, or all, with new keys. Connections stay. A site does the same by itself when two thirds of
    their life are over; this is for those who do not want to wait for that.
  - Authorities, and certificates that a person supplied, are not renewed.
extends_documentation_fragment:
  - skupper_host.site.common
options:
  names:
    description:
      - The certificates; all of them where it is not given.
    type: list
    elements: str
  within_days:
    description:
      - Renew those that end within as many days, which changes nothing the second time. Without it each run renews them.
    type: int
"""

EXAMPLES = r"""
- name: No certificate ends within a month
  skupper_host.site.certificate:
    within_days: 30

- name: New keys now
  skupper_host.site.certificate:
    names: [skupper-local-server]
"""

RETURN = r"""
renewed:
  description: The certificates that were renewed, or would be.
  type: list
  elements: str
  returned: always
certificates:
  description: All certificates of the site, with their expiry.
  type: list
  elements: dict
  returned: while the site exists
"""

import datetime

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.skupper_host.site.plugins.module_utils.skupper import (
    Skupper, common_arguments, plan_difference, split)


def ends_by(certificate, limit):
    """Whether it ends before limit, a time as the program writes it."""
    return certificate.get('expires', '') != '' and certificate['expires'] < limit


def main():
    module = AnsibleModule(
        argument_spec=common_arguments(names=dict(type='list', elements='str'), within_days=dict(type='int')),
        supports_check_mode=True)
    skupper = Skupper(module)
    if skupper.absent_in_check_mode() or module.check_mode and skupper.here() is None:
        module.exit_json(changed=False, renewed=[], msg='there is no site yet')
    names = module.params['names'] or []
    command = ['cert', 'renew']
    plan = skupper.json(command + names + ['--dry-run'])
    renewed = [c['name'] for c in split(plan.get('changes')) if c['action'] != 'unchanged']
    if module.params['within_days'] is not None:
        limit = datetime.datetime.utcnow() + datetime.timedelta(days=module.params['within_days'])
        soon = [c['name'] for c in skupper.items(['cert', 'list']) if ends_by(c, limit.strftime('%Y-%m-%dT%H:%M:%SZ'))]
        renewed = [name for name in renewed if name in soon]
        plan = skupper.json(command + renewed + ['--dry-run']) if renewed else {}
    result = dict(changed=bool(renewed), renewed=renewed)
    if renewed and module._diff and plan.get('plan'):
        result['diff'] = plan_difference(plan)
    if renewed and not module.check_mode:
        skupper.json(command + renewed)
    result['certificates'] = skupper.items(['cert', 'list'])
    module.exit_json(**result)


if __name__ == '__main__':
    main()
