# Apache License 2.0 (see LICENSE)
"""How the modules of this collection speak to the skupper program.

They run it with -o json and --dry-run and read nothing else: no table, no file
of a site. Where it is still to come, they look which namespaces there are. Standard library only, Python 3.6 and later.
"""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import itertools
import json
import os
import re

# Where the program may be besides PATH, which is short for those who do not log in.
PLACES = ['/usr/local/bin', '/usr/bin', '~/.local/bin']

# Documents of a YAML stream.
DOCUMENT = re.compile(r'^---[ \t]*(?:#.*)?$', re.MULTILINE)

# The kind of a document in YAML or JSON.
KIND = re.compile(r'^\s*[{,]?\s*"?kind"?\s*:\s*["\']?(\w+)', re.MULTILINE)
JSON_KIND = re.compile(r'[{,]\s*"kind"\s*:\s*"(\w+)"')


def common_arguments(**more):
    """The arguments of every module, and more."""
    arguments = dict(
        namespace=dict(type='str'),
        platform=dict(type='str', choices=['linux', 'podman', 'docker']),
        scope=dict(type='str', choices=['auto', 'system', 'user'], default='auto'),
        executable=dict(type='path'),
    )
    arguments.update(more)
    return arguments


def documents(text):
    """The documents of a YAML stream that hold anything."""
    return [d for d in DOCUMENT.split(text) if any(
        line.strip() and not line.lstrip().startswith('#') for line in d.splitlines())]


def kind_of(document):
    """The kind that a document says it is."""
    found = JSON_KIND.search(document) or KIND.search(document)
    return found.group(1) if found else ''


def text_of(definition):
    """Resources as one text, from a string, a dictionary or a list of either."""
    if isinstance(definition, dict):
        return json.dumps(definition)
    if isinstance(definition, (list, tuple)):
        return '\n---\n'.join(text_of(d) for d in definition)
    text = '{0}'.format(definition)
    return text if text.endswith('\n') else text + '\n'


class Skupper(object):
    """The program, run for one namespace."""

    def __init__(self, module):
        self.module = module
        self.path = self._find()

    def _find(self):
        given = self.module.params['executable']
        if given:
            if os.access(given, os.X_OK):
                return given
        else:
            found = self.module.get_bin_path('skupper', opt_dirs=[os.path.expanduser(p) for p in PLACES])
            if found:
                return found
        return None

    def required(self):
        """Fails unless the program is there."""
        if not self.path:
            self.module.fail_json(
                msg='{0} is not on this host'.format(self.module.params['executable'] or 'skupper'),
                hint='install the package skupper, or apply the role skupper_host.site.site, which does')

    def absent_in_check_mode(self):
        """Whether a task before this one would have installed the program."""
        if self.path or not self.module.check_mode:
            self.required()
            return False
        return True

    def waiting(self):
        """The namespaces that wait for the program: upstream's, or of a skupper that was removed."""
        scope = self.module.params['scope']
        if scope == 'system' or scope == 'auto' and os.getuid() == 0:
            home = '/var/lib/skupper'
        else:
            home = os.path.join(os.environ.get('XDG_DATA_HOME') or os.path.expanduser('~/.local/share'), 'skupper')
        home = os.path.join(home, 'namespaces')
        return sorted(name for name in os.listdir(home) if os.path.isdir(os.path.join(home, name))) if os.path.isdir(home) else []

    def run(self, args, data=None, accept=()):
        """Runs a command; what it prints, and its exit status if that is one of accept."""
        p = self.module.params
        argv = [self.path]
        if p['namespace']:
            argv += ['--namespace', p['namespace']]
        if p['platform']:
            argv += ['--platform', p['platform']]
        if p['scope'] != 'auto':
            argv += ['--' + p['scope']]
        # The exit status is the answer, the words are for people: in one language.
        code, out, err = self.module.run_command(argv + list(args), data=data, environ_update=self._environment())
        if code != 0 and code not in accept:
            self._fail(args, code, err)
        return code, out, err

    @staticmethod
    def _environment():
        """XDG_RUNTIME_DIR is not set for those who became a user by sudo or su."""
        env = {'LANG': 'C.UTF-8', 'LC_ALL': 'C.UTF-8'}
        runtime = '/run/user/{0}'.format(os.getuid())
        if os.getuid() != 0 and not os.environ.get('XDG_RUNTIME_DIR') and os.path.isdir(runtime):
            env['XDG_RUNTIME_DIR'] = runtime
            bus = os.path.join(runtime, 'bus')
            if not os.environ.get('DBUS_SESSION_BUS_ADDRESS') and os.path.exists(bus):
                env['DBUS_SESSION_BUS_ADDRESS'] = 'unix:path=' + bus
        return env

    def _fail(self, args, code, err):
        errors, hints = [], []
        for line in err.splitlines():
            if line.startswith('error: '):
                errors.append(line[len('error: '):])
            elif line.startswith('hint: '):
                hints.append(line[len('hint: '):])
        msg = '; '.join(errors) or err.strip() or 'no error message'
        words = ' '.join(itertools.takewhile(lambda a: not a.startswith('-'), args))
        failure = dict(msg='skupper {0}: {1}'.format(words, msg), rc=code)
        if hints:
            failure['hint'] = '; '.join(hints)
            failure['msg'] += ' ({0})'.format(failure['hint'])
        self.module.fail_json(**failure)

    def json(self, args, data=None):
        """The answer of a command to -o json."""
        dummy, out, dummy = self.run(list(args) + ['--output', 'json'], data=data)
        try:
            return json.loads(out) if out.strip() else {}
        except ValueError as e:
            self.module.fail_json(msg='skupper {0} does not answer in JSON: {1}'.format(' '.join(args), e),
                                  hint='this collection needs the skupper that it came with, or a later one')

    def items(self, args):
        """The items of a list."""
        return self.json(args).get('items') or []

    def site(self):
        """The Site with its status; empty where there is none."""
        found = self.json(['site', 'status'])
        sites = found.get('items') or ([found] if found.get('kind') == 'Site' else [])
        return sites[0] if sites else {}

    def lines(self, args):
        """The lines that a command prints."""
        return self.run(args)[1].splitlines()

    def namespaces(self):
        """The namespaces of this host, by name."""
        return dict((n['name'], n) for n in self.items(['namespace', 'list']))

    def namespace_name(self):
        return self.module.params['namespace'] or 'default'

    def here(self):
        """What is known of the namespace, None where there is none."""
        return self.namespaces().get(self.namespace_name())


def changes(result):
    """Whether a result of the program changes, or changed, anything."""
    return bool(result.get('plan')) or any(c.get('action') != 'unchanged' for c in result.get('changes') or [])


def split(changes_):
    """The changes of a result as the modules return them."""
    listed = []
    for c in changes_ or []:
        kind, dummy, name = c['object'].partition('/')
        listed.append(dict(kind=kind, name=name, action=c['action']))
    return listed


def difference(result):
    """The documents of a dry run as Ansible shows differences."""
    shown = []
    for c in result.get('changes') or []:
        if c['action'] == 'unchanged':
            continue
        shown.append(dict(before=c.get('before', ''), after=c.get('after', ''),
                          before_header=c['object'], after_header=c['object']))
    if not shown and result.get('plan'):
        shown.append(plan_difference(result))
    return shown


def plan_difference(result):
    """The steps of a dry run as Ansible shows differences."""
    return dict(prepared=''.join('+ {0}\n'.format(step) for step in result['plan']))
