#!/usr/bin/python
# Apache License 2.0 (see LICENSE)
"""What sites need of a host."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

DOCUMENTATION = r"""
---
module: controller
short_description: Prepares a host, or a user, for Skupper sites that start with it
version_added: "0.1.0"
description:
  - Makes the directories and, as root, the user that routers run as, and has systemd start the agent, now and at boot.
    Or undoes that. Sites are left alone.
  - Takes the place of C(skupper.v2.controller), which runs a container.
extends_documentation_fragment:
  - skupper_host.site.common
options:
  action:
    description:
      - What to do.
    type: str
    choices: [install, uninstall]
    default: install
  enable_linger:
    description:
      - Services of the user run without a login.
    type: bool
    default: false
  reload_type:
    description:
      - Whether changes of files take effect by themselves, or with C(skupper system reload). What was chosen before
        stays where this is not given.
    type: str
    choices: [auto, manual]
  replace_upstream:
    description:
      - Stop and disable the controller of upstream's, where there is one.
    type: bool
    default: false
"""

EXAMPLES = r"""
- name: Sites of the system
  skupper_host.site.controller:

- name: Sites of a user, also without a login
  skupper_host.site.controller:
    scope: user
    enable_linger: true
"""

RETURN = r"""
actions:
  description: What was changed, or would be.
  type: list
  elements: str
  returned: always
  sample: [wrote /etc/systemd/system/skupper.service]
kept:
  description: What an uninstallation leaves, and why.
  type: list
  elements: str
  returned: with I(action=uninstall)
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.skupper_host.site.plugins.module_utils.skupper import Skupper, common_arguments


def main():
    module = AnsibleModule(
        argument_spec=common_arguments(
            action=dict(type='str', choices=['install', 'uninstall'], default='install'),
            enable_linger=dict(type='bool', default=False),
            reload_type=dict(type='str', choices=['auto', 'manual']),
            replace_upstream=dict(type='bool', default=False)),
        supports_check_mode=True)
    skupper = Skupper(module)
    p = module.params
    if p['action'] == 'uninstall' and not skupper.path:
        module.exit_json(changed=False, actions=[], kept=[], msg='skupper is not on this host')
    if skupper.absent_in_check_mode():
        module.exit_json(changed=True, actions=[], msg='skupper is not installed yet')
    command = ['system', p['action']]
    if p['action'] == 'uninstall':
        plan, options = command + ['--dry-run'], ['--keep-sites']
    else:
        if p['enable_linger']:
            command.append('--enable-linger')
        if p['reload_type']:
            command += ['--reload-type', p['reload_type']]
        options = ['--yes'] if p['replace_upstream'] else []
        plan = command + options + ['--dry-run']
    lines = skupper.lines(plan)
    kept = []
    if not module.check_mode and (lines or p['action'] == 'install'):
        lines = skupper.lines(command + options)
        kept = [line for line in lines if line.startswith('kept ')]
        lines = [line for line in lines if not line.startswith('kept ')]
    result = dict(changed=bool(lines), actions=lines)
    if p['action'] == 'uninstall':
        result['kept'] = kept
    if module._diff and lines:
        result['diff'] = dict(prepared=''.join('+ {0}\n'.format(line) for line in lines))
    module.exit_json(**result)


if __name__ == '__main__':
    main()
