#!/usr/bin/python
# Apache License 2.0 (see LICENSE)
"""The network observer of a host."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

DOCUMENTATION = r"""
---
module: observer
short_description: Has a network observer show the whole network of a Skupper site, or removes it
version_added: "0.1.0"
description:
  - Serves a console, an API and metrics of the network that the site of I(namespace) is a part of.
  - What is not given stays as it was.
extends_documentation_fragment:
  - skupper_host.site.common
options:
  state:
    description:
      - Whether there is one.
    type: str
    choices: [present, absent]
    default: present
  listen:
    description:
      - Where it is served, host and port. Others are served over TLS and with a login only, or with I(open).
    type: str
  listen_metrics:
    description:
      - Where its metrics are served without a login, host and port.
    type: str
  tls_cert:
    description:
      - A file of the managed host, the certificate to serve it with, instead of one that is made.
    type: path
  tls_key:
    description:
      - A file of the managed host, the key of I(tls_cert).
    type: path
  htpasswd:
    description:
      - A file of the managed host that says who may log in, with passwords as bcrypt.
    type: path
  login:
    description:
      - Have people log in with a password that is made, and that C(skupper system network-observer status) says where to find.
    type: bool
    default: false
  username:
    description:
      - The name to log in with.
    type: str
  open:
    description:
      - Serve others without a login, or without a certificate, because something else protects it.
    type: bool
    default: false
  hosts:
    description:
      - Names of this host by which it may be asked without a login.
    type: list
    elements: str
  purge:
    description:
      - With C(absent), remove the file with those who may log in, too.
    type: bool
    default: false
"""

EXAMPLES = r"""
- name: A console on this host
  skupper_host.site.observer:

- name: A console for others
  skupper_host.site.observer:
    listen: ":8443"
    tls_cert: /etc/ssl/certs/west.pem
    tls_key: /etc/ssl/private/west.pem
    login: true
"""

RETURN = r"""
actions:
  description: What was changed, or would be.
  type: list
  elements: str
  returned: always
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.skupper_host.site.plugins.module_utils.skupper import Skupper, common_arguments

# What begins a line of the program that tells of a change; others tell how the observer is.
DONE = ('wrote ', 'removed ', 'started ', 'stopped ', 'enabled ', 'disabled ', 'restarted ')


def flags(p):
    """What the arguments are on the command line."""
    given = []
    for name in ('listen', 'listen_metrics', 'tls_cert', 'tls_key', 'htpasswd', 'username'):
        if p[name] is not None:
            given += ['--' + name.replace('_', '-'), p[name]]
    for host in p['hosts'] or []:
        given += ['--host', host]
    if p['open']:
        given.append('--open')
    if p['login']:
        given += ['--password', 'auto']
    return given


def main():
    module = AnsibleModule(
        argument_spec=common_arguments(
            state=dict(type='str', choices=['present', 'absent'], default='present'),
            listen=dict(type='str'),
            listen_metrics=dict(type='str'),
            tls_cert=dict(type='path'),
            tls_key=dict(type='path', no_log=False),
            htpasswd=dict(type='path', no_log=False),
            login=dict(type='bool', default=False),
            username=dict(type='str'),
            open=dict(type='bool', default=False),
            hosts=dict(type='list', elements='str'),
            purge=dict(type='bool', default=False)),
        required_together=[['tls_cert', 'tls_key']],
        supports_check_mode=True)
    skupper = Skupper(module)
    present = module.params['state'] == 'present'
    if not skupper.path and not present:
        module.exit_json(changed=False, actions=[], msg='skupper is not on this host')
    if skupper.absent_in_check_mode() or present and module.check_mode and skupper.here() is None:
        module.exit_json(changed=present, actions=[], msg='there is no site yet')
    group = ['system', 'network-observer']
    if present and module.params['login']:  # a password that there is stays
        module.params['login'] = not skupper.json(group + ['status']).get('login')
    command = group + (['install'] + flags(module.params) if present else ['uninstall'])
    if not present and module.params['purge']:
        command.append('--purge')
    lines = [line for line in skupper.lines(command + ['--dry-run']) if line.startswith(DONE)]
    if lines and not module.check_mode:
        lines = [line for line in skupper.lines(command) if line.startswith(DONE)]
    result = dict(changed=bool(lines), actions=lines)
    if module._diff and lines:
        result['diff'] = dict(prepared=''.join('+ {0}\n'.format(line) for line in lines))
    module.exit_json(**result)


if __name__ == '__main__':
    main()
