# Apache License 2.0 (see LICENSE)
"""Reads the files that a resource task names on the control node."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import os

from ansible.errors import AnsibleActionFail, AnsibleError
from ansible.module_utils.parsing.convert_bool import boolean
from ansible.plugins.action import ActionBase

from ansible_collections.skupper_host.site.plugins.module_utils.skupper import text_of

SUFFIXES = ('.yaml', '.yml', '.json')
DEPTH = 3


class ActionModule(ActionBase):
    """The control node's half of the module resource."""

    TRANSFERS_FILES = False

    def run(self, tmp=None, task_vars=None):
        result = super(ActionModule, self).run(tmp, task_vars)
        args = dict(self._task.args)
        paths = args.get('path') or []
        if not isinstance(paths, list):
            paths = [p.strip() for p in '{0}'.format(paths).split(',')]
        given = args.pop('definition', None) or args.pop('def', None)
        # One text: the module hides it as a whole, whatever is in it.
        texts = [text_of(given)] if given else []
        if paths and not boolean(args.get('remote', False)):
            far = [p for p in paths if p.startswith(('http://', 'https://'))]
            for p in paths:
                if p not in far:
                    texts += self._texts(p)
            args.pop('path')
            if far:
                args['path'] = far
            elif not texts:
                raise AnsibleActionFail('{0}: no file ends in {1}'.format(', '.join(paths), ', '.join(SUFFIXES)))
        if texts:
            args['def'] = '\n---\n'.join(texts)
        result.update(self._execute_module(module_name='skupper_host.site.resource', module_args=args, task_vars=task_vars))
        return result

    def _texts(self, path):
        try:
            found = self._find_needle('files', path)
        except AnsibleError:
            raise AnsibleActionFail('{0} is not on the control node; remote: true reads it on the managed host'.format(path))
        if not os.path.isdir(found):
            return [self._text(found)]
        texts = []
        for base, directories, names in os.walk(found):
            directories.sort()
            below = os.path.relpath(base, found)
            if below != '.' and below.count(os.sep) + 2 > DEPTH:
                directories[:] = []
            texts += [self._text(os.path.join(base, n)) for n in sorted(names) if n.endswith(SUFFIXES)]
        return texts

    def _text(self, path):
        real = self._loader.get_real_file(path)  # decrypts what ansible-vault encrypted
        with open(real, 'rb') as f:
            return f.read().decode('utf-8')
