# Apache License 2.0 (see LICENSE)
"""What the modules of this collection have in common."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type


class ModuleDocFragment(object):
    """Arguments of every module."""

    DOCUMENTATION = r"""
options:
  namespace:
    description:
      - The namespace of the site.
      - The program's own default, which is C(default), where this is not given.
    type: str
  platform:
    description:
      - How the router of a new site runs. A site that exists keeps its platform.
    type: str
    choices: [linux, podman, docker]
  scope:
    description:
      - Whose sites are meant, C(system) those of the system and C(user) those of the user who runs the task.
      - With C(auto), root has those of the system and others have their own.
    type: str
    choices: [auto, system, user]
    default: auto
  executable:
    description:
      - The skupper program, where it is not in C(PATH), C(/usr/local/bin), C(/usr/bin) or C(~/.local/bin).
    type: path
requirements:
  - the skupper program on the managed host
"""
