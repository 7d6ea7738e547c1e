#!/usr/bin/python
# Apache License 2.0 (see LICENSE)
"""Tokens and link files of a site."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

DOCUMENTATION = r"""
---
module: token
short_description: Tokens and link files, with which one Skupper site links to another
version_added: "0.1.0"
description:
  - Issues a token or a link file on the site that others can reach, and redeems it on the other.
  - Takes the arguments of C(skupper.v2.token). Set C(no_log) on tasks that register a token.
extends_documentation_fragment:
  - skupper_host.site.common
options:
  action:
    description:
      - With C(issue), a token is issued unless one of that name can still be redeemed.
      - With C(redeem), this site links to the one that issued it, unless it does already. A link file does as well.
      - With C(revoke), nobody can redeem it any more; links that were made stay.
    type: str
    choices: [issue, redeem, revoke]
    default: issue
  name:
    description:
      - The name of the grant and of the token; with C(redeem), the name of the link.
    type: str
  type:
    description:
      - With C(issue), a token, which is exchanged for a key when it is redeemed, or a link file, which holds the key
        and does without the port of tokens.
    type: str
    choices: [token, link]
    default: token
  redemptions_allowed:
    description:
      - How often the token may be redeemed.
    type: int
    default: 1
  expiration_window:
    description:
      - How long it may be redeemed.
    type: str
    default: 15m
  host:
    description:
      - Names or addresses at which the other site reaches this host, the first is tried first.
    type: list
    elements: str
  cost:
    description:
      - The cost of the link.
    type: int
  path:
    description:
      - With C(issue), a file of the managed host that is written, readable by its owner only; otherwise the token is returned.
      - With C(redeem), a file of the managed host that holds the token.
    type: path
  token:
    description:
      - With C(redeem), the token or link file itself.
    type: str
  wait:
    description:
      - With C(redeem), return when nothing, when the running router has the link, or when it works.
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
- name: A token for three sites
  skupper_host.site.token:
    name: edges
    redemptions_allowed: 3
    expiration_window: 1h
    host: west.example.com
  register: issued
  no_log: true
  delegate_to: west

- name: Link to the site that issued it
  skupper_host.site.token:
    action: redeem
    name: west
    token: "{{ issued.token }}"
"""

RETURN = r"""
token:
  description: The token or link file, YAML. It holds a secret.
  type: str
  returned: with C(issue) without I(path), unless in check mode
path:
  description: The file that was written.
  type: str
  returned: with C(issue) and I(path)
grant:
  description: The name of the grant.
  type: str
  returned: with C(issue) of a token
url:
  description: Where the token is redeemed.
  type: str
  returned: with C(issue) of a token, unless in check mode
expires:
  description: Until when.
  type: str
  returned: with C(issue) of a token, unless in check mode
resources:
  description: What happened to each resource.
  type: list
  elements: dict
  returned: with C(redeem)
"""

import os

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.skupper_host.site.plugins.module_utils.skupper import (
    Skupper, changes, common_arguments, difference, kind_of, split)


class Token(object):
    """One run of the module."""

    def __init__(self, module):
        self.module = module
        self.p = module.params
        self.skupper = Skupper(module)

    def grant(self):
        """The grant of that name, None where there is none."""
        if self.skupper.here() is None:
            return None
        for g in self.skupper.items(['token', 'status']):
            if g['metadata']['name'] == self.p['name']:
                return g
        return None

    def issue(self):
        if not self.p['name']:
            self.module.fail_json(msg='name is missing: with it the same task does nothing the second time')
        if self.p['type'] == 'link':
            return self.link()
        known = self.grant()
        usable = bool(known) and known.get('status', {}).get('status') == 'Ready'
        written = not self.p['path'] or os.path.exists(self.p['path'])
        result = dict(changed=not (usable and written), grant=self.p['name'])
        if self.p['path']:
            result['path'] = self.p['path']
        if self.module.check_mode or not result['changed'] and self.p['path']:
            return result
        if known and not usable:  # used up or expired: nobody can redeem it, and its name is free again
            self.skupper.json(['token', 'revoke', self.p['name']])
        command = ['token', 'issue', self.p['path'] or '-', '--name', self.p['name'],
                   '--redemptions-allowed', str(self.p['redemptions_allowed']), '--expiration-window', self.p['expiration_window'],
                   '--timeout', '{0}s'.format(self.p['wait_timeout'])]
        if usable:
            command = ['token', 'issue', self.p['path'] or '-', '--grant', self.p['name']]
        if self.p['path']:
            command.append('--force')
        text = self.skupper.run(command + self.costs('--cost') + self.hosts())[1]
        if not self.p['path']:
            result['token'] = text
        status = (self.grant() or {}).get('status', {})
        result.update(url=status.get('url', ''), expires=status.get('expirationTime', ''))
        return result

    def hosts(self):
        return [a for h in self.p['host'] or [] for a in ('--host', h)]

    def costs(self, flag):
        return [flag, str(self.p['cost'])] if self.p['cost'] else []

    def link(self):
        """A link file; each has a key of its own, and the site does not change by it."""
        path = self.p['path']
        result = dict(changed=bool(path) and not os.path.exists(path))
        if path:
            result['path'] = path
        if self.module.check_mode or path and not result['changed']:
            return result
        command = ['link', 'generate', '--name', self.p['name']] + self.costs('--cost')
        if self.p['host']:
            command += ['--host', self.p['host'][0]]
        if path:
            command += ['--output-file', path]
        text = self.skupper.run(command)[1]
        if not path:
            result['token'] = text
        return result

    def redeem(self):
        text = self.p['token']
        if self.p['path']:
            if not os.path.exists(self.p['path']):
                self.module.fail_json(msg='{0} is not on the managed host'.format(self.p['path']))
            with open(self.p['path'], 'rb') as f:
                text = f.read().decode('utf-8')
        if not text:
            return self.without_token()
        waiting = ['--wait', self.p['wait'], '--timeout', '{0}s'.format(self.p['wait_timeout'])]
        command = ['system', 'apply', '-']
        if kind_of(text) == 'AccessToken':
            command = ['token', 'redeem', '-'] + self.costs('--link-cost')
            if self.p['name']:
                command += ['--name', self.p['name']]
        plan = self.skupper.json(command + ['--dry-run'], data=text)
        result = dict(changed=changes(plan), resources=split(plan.get('changes')))
        if self.module._diff:
            result['diff'] = difference(plan)
        if not self.module.check_mode:
            result['resources'] = split(self.skupper.json(command + waiting, data=text).get('changes'))
        return result

    def without_token(self):
        """What a run that has the token would do."""
        if not self.module.check_mode:
            self.module.fail_json(msg='token is empty')
        links = [] if self.skupper.here() is None else self.skupper.items(['link', 'status'])
        return dict(changed=self.p['name'] not in [x.get('metadata', {}).get('name') for x in links], resources=[])

    def revoke(self):
        result = dict(changed=self.grant() is not None)
        if result['changed'] and not self.module.check_mode:
            self.skupper.json(['token', 'revoke', self.p['name']])
        return result


def main():
    module = AnsibleModule(
        argument_spec=common_arguments(
            action=dict(type='str', choices=['issue', 'redeem', 'revoke'], default='issue'),
            name=dict(type='str'),
            type=dict(type='str', choices=['token', 'link'], default='token'),
            redemptions_allowed=dict(type='int', default=1),
            expiration_window=dict(type='str', default='15m', no_log=False),
            host=dict(type='list', elements='str'),
            cost=dict(type='int'),
            path=dict(type='path'),
            token=dict(type='str', no_log=True),
            wait=dict(type='str', choices=['none', 'configured', 'ready'], default='ready'),
            wait_timeout=dict(type='int', default=60)),
        mutually_exclusive=[['path', 'token']],
        required_if=[['action', 'revoke', ['name']]],
        supports_check_mode=True)
    t = Token(module)
    if t.skupper.absent_in_check_mode():
        module.exit_json(changed=module.params['action'] != 'revoke', msg='skupper is not installed yet')
    if module.params['action'] == 'redeem' and not module.check_mode and not (module.params['path'] or module.params['token']):
        module.fail_json(msg='redeem needs token or path')
    module.exit_json(**getattr(t, module.params['action'])())


if __name__ == '__main__':
    main()
