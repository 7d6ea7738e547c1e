#!/usr/bin/python
# Apache License 2.0 (see LICENSE)
"""The site of a namespace as a whole."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

DOCUMENTATION = r"""
---
module: namespace
short_description: Starts, stops, reloads and removes a Skupper site on a host
version_added: "0.1.0"
description:
  - Looks after the site of a namespace as a whole. Stopping it keeps everything of it; a stopped site stays stopped
    after a reboot.
  - Does what C(skupper.v2.system) does with C(start), C(reload) and C(stop), but that C(stopped) destroys nothing.
extends_documentation_fragment:
  - skupper_host.site.common
options:
  state:
    description:
      - With C(started) the site runs, with C(stopped) it does not.
      - With C(reloaded) what differs of its input is put into effect.
      - With C(restarted) its router is restarted, which ends connections. It is always a change.
      - With C(moved) its router runs on I(platform), as a process of the host or in a container. Moving it ends connections;
        id, keys, ports and links stay. A site that is not there yet is none to move.
      - With C(absent) nothing is left of it.
    type: str
    choices: [started, stopped, reloaded, restarted, moved, absent]
    default: started
  keep_input:
    description:
      - With C(absent), the resources and certificates that were given stay.
    type: bool
    default: false
  purge:
    description:
      - With C(absent), no archive is kept from which the site can be restored.
    type: bool
    default: false
  wait:
    description:
      - Return when nothing, when the running router has its configuration, or when it works.
    type: str
    choices: [none, configured, ready]
    default: ready
  wait_timeout:
    description:
      - How long to wait, seconds.
    type: int
    default: 60
"""

EXAMPLES = r"""
- name: Stop the site for a while
  skupper_host.site.namespace:
    state: stopped

- name: Run the router in a container
  skupper_host.site.namespace:
    state: moved
    platform: podman

- name: Remove the site of namespace lab
  skupper_host.site.namespace:
    namespace: lab
    state: absent
"""

RETURN = r"""
plan:
  description: What is changed, one step a line.
  type: list
  elements: str
  returned: when something changes
unit:
  description: The unit of the site's router.
  type: str
  returned: while there is a site
active:
  description: Whether the site runs.
  type: bool
  returned: always
pid:
  description: The process of its router.
  type: int
  returned: while it runs
since:
  description: When that was started.
  type: str
  returned: while it runs
archive:
  description: From which a removed site can be restored.
  type: str
  returned: with I(state=absent), unless I(purge) is set
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.skupper_host.site.plugins.module_utils.skupper import (
    Skupper, changes, common_arguments, plan_difference)

VERBS = dict(started='start', stopped='stop', reloaded='reload', restarted='restart')


def operate(module, skupper):
    """The result of starting, stopping, reloading or restarting."""
    command = ['system', VERBS[module.params['state']]]
    plan = skupper.json(command + ['--dry-run'])
    result = dict(changed=changes(plan) or module.params['state'] == 'restarted')
    if plan.get('plan'):
        result['plan'] = plan['plan']
        if module._diff:
            result['diff'] = plan_difference(plan)
    if module.check_mode or not result['changed'] and module.params['state'] == 'stopped':
        return result
    if module.params['state'] != 'stopped':
        command += ['--wait', module.params['wait'], '--timeout', '{0}s'.format(module.params['wait_timeout'])]
    skupper.json(command)
    return result


def move(module, skupper, known):
    """The result of having the site on another platform."""
    to = module.params['platform']
    if known is None or known.get('platform') == to:
        return dict(changed=False)
    module.params['platform'] = None  # the program takes it for that of the site as it is
    command = ['system', 'migrate', '--to', to]
    plan = skupper.lines(command + ['--dry-run'])
    result = dict(changed=True, plan=plan)
    if module._diff:
        result['diff'] = dict(before='platform: {0}\n'.format(known.get('platform')), after='platform: {0}\n'.format(to))
    if not module.check_mode:
        skupper.run(command + ['--wait', module.params['wait'], '--timeout', '{0}s'.format(module.params['wait_timeout'])])
    return result


def new(state):
    """Whether a site that a task before this one would have made and started, is changed."""
    return state in ('stopped', 'restarted')


def remove(module, skupper):
    """The result of removing the site."""
    if skupper.here() is None:
        return dict(changed=False)
    command = ['system', 'teardown', '--yes']
    if module.params['keep_input']:
        command.append('--keep-input')
    if module.params['purge']:
        command.append('--purge')
    plan = skupper.json(command + ['--dry-run'])
    result = dict(changed=True, plan=plan.get('plan') or [])
    if module._diff and plan.get('plan'):
        result['diff'] = plan_difference(plan)
    if not module.check_mode:
        done = skupper.json(command)
        if done.get('archive'):
            result['archive'] = done['archive']
    return result


def main():
    module = AnsibleModule(
        argument_spec=common_arguments(
            state=dict(type='str', choices=['started', 'stopped', 'reloaded', 'restarted', 'moved', 'absent'], default='started'),
            keep_input=dict(type='bool', default=False),
            purge=dict(type='bool', default=False),
            wait=dict(type='str', choices=['none', 'configured', 'ready'], default='ready'),
            wait_timeout=dict(type='int', default=60)),
        required_if=[['state', 'moved', ['platform']]],
        supports_check_mode=True)
    skupper = Skupper(module)
    state = module.params['state']
    if not skupper.path and state == 'absent':
        module.exit_json(changed=False, active=False, msg='skupper is not on this host')
    if skupper.absent_in_check_mode():
        waits = state == 'started' and (module.params['namespace'] or 'default') in skupper.waiting()
        module.exit_json(changed=new(state) or waits, active=False, msg='skupper is not installed yet')
    known = skupper.here()
    if known is None and module.check_mode and state != 'absent':
        module.exit_json(changed=new(state), active=False, msg='there is no site yet')
    if state == 'moved':
        result = move(module, skupper, known)
    else:
        result = remove(module, skupper) if state == 'absent' else operate(module, skupper)
    known = skupper.here() or {}
    result['active'] = known.get('state') == 'running'
    for key in ('unit', 'pid', 'since'):
        if known.get(key):
            result[key] = known[key]
    module.exit_json(**result)


if __name__ == '__main__':
    main()
