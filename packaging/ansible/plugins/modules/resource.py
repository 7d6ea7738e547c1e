#!/usr/bin/python
# Apache License 2.0 (see LICENSE)
"""Resources of a site."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

DOCUMENTATION = r"""
---
module: resource
short_description: Resources of a Skupper site on a host
version_added: "0.1.0"
description:
  - Creates, changes and removes resources of a site (Site, Listener, Connector, Link, Secret and the others of
    C(skupper.io/v2alpha1)). A site that was never started is started.
  - What differs is changed, all else goes on; connections through what did not change stay.
  - Takes the arguments of C(skupper.v2.resource).
extends_documentation_fragment:
  - skupper_host.site.common
options:
  def:
    description:
      - The resources as YAML text, as a dictionary, or as a list of either. They are not logged.
    type: raw
    aliases: [definition]
  path:
    description:
      - A file, or a directory of which the files C(*.yaml), C(*.yml) and C(*.json) are read three levels deep, on the
        control node. More than one may be given.
      - An address that begins with C(http://) or C(https://) is fetched by the managed host.
    type: list
    elements: str
  remote:
    description:
      - The I(path) is one of the managed host.
    type: bool
    default: false
  state:
    description:
      - With C(present), the resources are as given. C(latest) is the same, for playbooks of C(skupper.v2).
      - With C(absent), they are removed.
    type: str
    choices: [present, latest, absent]
    default: present
  redeem:
    description:
      - AccessTokens among the resources are exchanged for links at once, and are not kept. The task fails where
        that fails. Without it the site redeems them in the background.
    type: bool
    default: false
  prune:
    description:
      - Listeners, connectors, multi-key listeners, router accesses and certificates that are not given are removed.
      - Links, tokens and secrets stay, as they may come from elsewhere.
    type: bool
    default: false
  wait:
    description:
      - Return when nothing, when the running router has what was given, or when all of it works.
      - A listener works only while the network has a connector for it.
    type: str
    choices: [none, configured, ready]
    default: configured
  wait_timeout:
    description:
      - How long to wait, seconds.
    type: int
    default: 60
"""

EXAMPLES = r"""
- name: A site that others can link to
  skupper_host.site.resource:
    def:
      apiVersion: skupper.io/v2alpha1
      kind: Site
      metadata: {name: west}
      spec: {linkAccess: default}

- name: All resources of a directory, and none else
  skupper_host.site.resource:
    path: files/west/
    prune: true

- name: A listener that is not needed any more
  skupper_host.site.resource:
    state: absent
    def: |
      apiVersion: skupper.io/v2alpha1
      kind: Listener
      metadata:
        name: db
"""

RETURN = r"""
resources:
  description: What happened to each resource.
  type: list
  elements: dict
  returned: always
  sample: [{kind: listener, name: db, action: created}]
plan:
  description: What of the running site is changed, one step a line.
  type: list
  elements: str
  returned: when something changes
summary:
  description: The plan in one line, with the number of connections that it drops.
  type: str
  returned: when something changes
redeemed_links:
  description: The links that came of tokens.
  type: list
  elements: str
  returned: with I(redeem)
"""

import os

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.common.text.converters import to_text
from ansible.module_utils.urls import fetch_url

from ansible_collections.skupper_host.site.plugins.module_utils.skupper import (
    Skupper, changes, common_arguments, difference, documents, kind_of, split, text_of)

# What prune removes: what nobody but a playbook or a person makes.
PRUNED = ('listener', 'connector', 'multikeylistener', 'routeraccess', 'certificate')

# How deep directories are read.
DEPTH = 3


def files_of(path):
    """The files of a directory, or the file itself."""
    if not os.path.isdir(path):
        return [path]
    found = []
    for base, directories, names in os.walk(path):
        directories.sort()
        if os.path.relpath(base, path).count(os.sep) >= DEPTH - 1 and base != path:
            del directories[:]
        found += [os.path.join(base, n) for n in sorted(names) if n.endswith(('.yaml', '.yml', '.json'))]
    return found


def read(module):
    """The text of all resources that the task names."""
    p = module.params
    texts = [text_of(p['def'])] if p['def'] else []
    for path in p['path'] or []:
        if path.startswith(('http://', 'https://')):
            response, info = fetch_url(module, path)
            if info['status'] != 200:
                module.fail_json(msg='{0}: {1}'.format(path, info['msg']))
            texts.append(to_text(response.read()))
            continue
        if not os.path.exists(path):
            module.fail_json(msg='{0} is not on the managed host'.format(path))
        for name in files_of(path):
            with open(name, 'rb') as f:
                texts.append(to_text(f.read()))
    return '\n---\n'.join(texts)


class Resources(object):
    """One run of the module."""

    def __init__(self, module):
        self.module = module
        self.skupper = Skupper(module)
        self.result = dict(changed=False, resources=[])

    def note(self, found):
        """Adds the result of a command to that of the module."""
        self.result['changed'] = self.result['changed'] or changes(found)
        self.result['resources'] += split(found.get('changes'))
        if found.get('plan'):
            self.result['plan'] = self.result.get('plan', []) + found['plan']
            self.result['summary'] = found.get('summary', '')
        for w in found.get('warnings') or []:
            self.module.warn(w)

    def differ(self, plan):
        if self.module._diff:
            self.result['diff'] = self.result.get('diff', []) + difference(plan)

    def waiting(self):
        return ['--wait', self.module.params['wait'], '--timeout', '{0}s'.format(self.module.params['wait_timeout'])]

    def present(self, text):
        parts = documents(text)
        tokens = [d for d in parts if self.module.params['redeem'] and kind_of(d) == 'AccessToken']
        rest = '\n---\n'.join(d for d in parts if d not in tokens)
        if rest:
            self.apply(rest)
        if self.module.params['redeem']:
            self.result['redeemed_links'] = []
        for t in tokens:
            self.redeem(t)
        if self.module.params['prune']:
            self.prune(rest)

    def apply(self, text):
        plan = self.skupper.json(['system', 'apply', '-', '--dry-run'], data=text)
        self.differ(plan)
        if self.module.check_mode:
            self.note(plan)
            return
        if not changes(plan) and self.module.params['wait'] != 'ready':
            self.note(plan)
            return
        done = self.skupper.json(['system', 'apply', '-'] + self.waiting(), data=text)
        self.note(done)

    def redeem(self, text):
        plan = self.skupper.json(['token', 'redeem', '-', '--dry-run'], data=text)
        self.differ(plan)
        done = plan if self.module.check_mode else self.skupper.json(['token', 'redeem', '-'] + self.waiting(), data=text)
        self.result['changed'] = self.result['changed'] or changes(plan)
        self.result['resources'] += split(done.get('changes'))
        self.result['redeemed_links'] += [c['name'] for c in split(done.get('changes')) if c['kind'] == 'link']

    def prune(self, text):
        if not text:
            self.module.fail_json(msg='prune needs resources that stay')
        plan = self.skupper.json(['system', 'apply', '-', '--dry-run', '--prune'], data=text)
        gone = [c for c in plan.get('changes') or [] if c['action'] == 'deleted' and c['object'].partition('/')[0] in PRUNED]
        if not gone:
            return
        self.differ(dict(changes=gone))
        if self.module.check_mode:
            self.note(dict(changes=gone))
            return
        self.note(self.skupper.json(
            ['system', 'delete', '-', '--ignore-not-found', '--timeout', '{0}s'.format(self.module.params['wait_timeout'])],
            data='\n---\n'.join(c['before'] for c in gone)))

    def absent(self, text):
        command = ['system', 'delete', '-', '--ignore-not-found']
        plan = self.skupper.json(command + ['--dry-run'], data=text)
        self.differ(plan)
        if self.module.check_mode or not changes(plan):
            self.note(plan)
            return
        self.note(self.skupper.json(command + ['--timeout', '{0}s'.format(self.module.params['wait_timeout'])], data=text))


def main():
    module = AnsibleModule(
        argument_spec=common_arguments(
            path=dict(type='list', elements='str'),
            remote=dict(type='bool', default=False),
            state=dict(type='str', choices=['present', 'latest', 'absent'], default='present'),
            redeem=dict(type='bool', default=False),
            prune=dict(type='bool', default=False),
            wait=dict(type='str', choices=['none', 'configured', 'ready'], default='configured'),
            wait_timeout=dict(type='int', default=60),
            **{'def': dict(type='raw', aliases=['definition'], no_log=True)}),
        required_one_of=[['def', 'path']],
        supports_check_mode=True)
    r = Resources(module)
    if r.skupper.absent_in_check_mode():
        module.exit_json(changed=module.params['state'] != 'absent', resources=[],
                         msg='skupper is not installed yet; all of this would be made')
    text = read(module)
    if not documents(text):
        module.fail_json(msg='no resource is given')
    if module.params['state'] == 'absent':
        r.absent(text)
    else:
        r.present(text)
    module.exit_json(**r.result)


if __name__ == '__main__':
    main()
