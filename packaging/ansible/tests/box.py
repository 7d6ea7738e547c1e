# Apache License 2.0 (see LICENSE)
"""A connection to a box of internal/box: a host with systemd on this machine."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

DOCUMENTATION = """
name: box
short_description: a host with systemd on this machine
description: For tests. The host is the box's name, the user root or one with a login session.
options:
  host:
    description: name of the box
    vars: [{name: ansible_host}]
  user:
    description: user inside
    default: root
    vars: [{name: ansible_user}]
  script:
    description: path of box.sh
    vars: [{name: box_script}]
"""

import shlex
import subprocess

from ansible.errors import AnsibleError
from ansible.module_utils.common.text.converters import to_bytes
from ansible.plugins.connection import ConnectionBase


class Connection(ConnectionBase):
    """Commands run by box.sh."""

    transport = 'box'
    has_pipelining = True

    def _connect(self):
        return self

    def close(self):
        return None

    def _run(self, args, data=None):
        user = self.get_option('user')
        head = ['bash', self.get_option('script')]
        head += ['sh', self.get_option('host')] if user == 'root' else ['as', self.get_option('host'), user]
        p = subprocess.Popen(head + args, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        out, err = p.communicate(to_bytes(data) if data is not None else None)
        return p.returncode, out, err

    def exec_command(self, cmd, in_data=None, sudoable=True):
        super(Connection, self).exec_command(cmd, in_data=in_data, sudoable=sudoable)
        return self._run(['/bin/sh', '-c', cmd], in_data)

    def put_file(self, in_path, out_path):
        super(Connection, self).put_file(in_path, out_path)
        with open(in_path, 'rb') as f:
            code, dummy, err = self._run(['/bin/sh', '-c', 'cat >' + shlex.quote(out_path)], f.read())
        if code != 0:
            raise AnsibleError('{0}: {1}'.format(out_path, err))

    def fetch_file(self, in_path, out_path):
        super(Connection, self).fetch_file(in_path, out_path)
        code, out, err = self._run(['cat', in_path])
        if code != 0:
            raise AnsibleError('{0}: {1}'.format(in_path, err))
        with open(out_path, 'wb') as f:
            f.write(out)
