# Apache License 2.0 (see LICENSE)
"""Writes a line for each task that changes something on a host."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

DOCUMENTATION = """
name: record
type: notification
short_description: a line for each change
description: For tests. Lines are "host, task", appended to the file that CHANGES names.
"""

import os

from ansible.plugins.callback import CallbackBase


class CallbackModule(CallbackBase):
    """Notes what is changed."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = 'notification'
    CALLBACK_NAME = 'record'
    CALLBACK_NEEDS_ENABLED = True

    def v2_runner_on_ok(self, result):
        if result.is_changed():
            with open(os.environ['CHANGES'], 'a') as f:
                f.write('{0}: {1}\n'.format(result._host.get_name(), result._task.name))
