# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: BSD-2-Clause
"""What ovm_template_script does. Private to this collection.

Options in, results out, errors to fail_json; what happens in between is the first-boot core's.
"""

import base64
import json
import re

from ansible.module_utils.basic import env_fallback

from .firstboot.errors import FirstBootError
from .firstboot.scripts import DIRECTORY, Scripts, check_content
from .firstboot.targets import TARGETS, check_target
from .problem import Problem, one_line

_SCRIPT = dict(
    state=dict(type="str", choices=["present", "absent"], default="present"),
    src=dict(type="path"),
    content=dict(type="str"),
    remote_src=dict(type="bool", default=False),
    enabled=dict(type="bool", default=True),
    targets=dict(type="raw"),
)
_RULES = dict(mutually_exclusive=[("src", "content")])
OPTIONS = dict(
    _SCRIPT,
    name=dict(type="str"),
    scripts=dict(type="list", elements="dict", options=dict(_SCRIPT, name=dict(type="str", required=True)), **_RULES),
    template_dir=dict(type="path", default=DIRECTORY, fallback=(env_fallback, ["OVM_TEMPLATE_DIR"])),
    root=dict(type="path", default="/"),
    # What pack() has made, for the controller's part to say.
    _contents=dict(type="path"),
)
RULES = dict(
    mutually_exclusive=[("src", "content"), *((option, "scripts") for option in ("name", "src", "content", "targets"))],
    required_one_of=[("name", "scripts")],
)

# As much as ansible.builtin.copy shows.
_LONGEST_DIFF = 104448


class BadOptions(FirstBootError):
    """Options that do not go together, or are not what they should be."""


def pack(contents):
    """What the controller's part brings.

    :param contents: of each script its content as bytes, or None.
    :rtype: bytes
    """
    texts = [None if content is None else base64.b64encode(content).decode("ascii") for content in contents]
    return json.dumps(texts).encode("ascii")


def run(module):
    """Do the module's work and end it: with its result, or with what went wrong."""
    try:
        results = _work(module)
    except Problem as problem:
        module.fail_json(msg=one_line(str(problem)))
    result = dict(changed=any(each["changed"] for each in results))
    if module._diff:
        result["diff"] = [part for each in results for part in each.pop("diff")]
    if module.params["scripts"] is None:
        result = dict(results[0], **result)
    else:
        result["scripts"] = results
    module.exit_json(**result)


def _work(module):
    """Everything is looked at before anything is changed, in check mode as well.

    :returns: the result of each script.
    """
    options = module.params
    wanted = [options] if options["scripts"] is None else options["scripts"]
    names = [each["name"] for each in wanted]
    for name in names:
        if names.count(name) > 1:
            raise BadOptions("the script '%s' is given %d times" % (name, names.count(name)), "give it once")
    contents = _brought(options["_contents"]) or [None] * len(wanted)
    scripts = Scripts(options["root"], options["template_dir"])
    works = [
        _Absent(module, scripts, each) if each["state"] == "absent" else _Present(module, scripts, each, content)
        for each, content in zip(wanted, contents)
    ]
    return [work.do() for work in works]


def _brought(path):
    if path is None:
        return None
    with open(path, "rb") as source:
        found = json.loads(source.read().decode("ascii"))
    return [None if text is None else base64.b64decode(text) for text in found]


class _Absent:
    """A script that shall not be there."""

    def __init__(self, module, scripts, options):
        self._module, self._scripts, self._name = module, scripts, options["name"]
        self._before = _State(scripts, self._name)

    def do(self):
        changed = self._scripts.remove(self._name, check=self._module.check_mode)
        return _result(self._module, self._scripts, self._name, self._before, changed, content=None, links={})


class _Present:
    """A script that shall be there. To make one of these changes nothing, and tells what is wrong with it.

    :param content: what the controller has brought, or None.
    """

    def __init__(self, module, scripts, options, content):
        self._module, self._scripts, self._name = module, scripts, options["name"]
        self._content = _content(options) if content is None else content
        if self._content is not None:
            self._header = check_content(self._name, self._content)
        else:
            self._header = (scripts.runnable if options["enabled"] else scripts.header)(self._name)
        self._links = _wanted(options, self._header)
        self._before = _State(scripts, self._name)

    def do(self):
        module, scripts, name, content = self._module, self._scripts, self._name, self._content
        changed = False
        if content is not None:
            changed = scripts.install(name, content, check=module.check_mode)
            changed = _label(module, scripts.path(name), changed)
        if scripts.arrange(name, self._links, check=module.check_mode):
            changed = True
        content = self._before.content if content is None else content
        result = _result(module, scripts, name, self._before, changed, content, self._links)
        result["header"] = dict(self._header._asdict())
        return result


class _State:
    """A script and its links as they are.

    :ivar bytes content: or None.
    :ivar dict links: target to priority.
    """

    def __init__(self, scripts, name):
        self.content = scripts.content(name)
        self.links = {}
        try:
            self.links = scripts.enabled(name)
        except FirstBootError:
            pass  # the directory may have to be made first; if it is no good, that will show


def _content(options):
    """What the script shall be, as bytes; None where it is not given."""
    if options["content"] is not None:
        return options["content"].encode("utf-8", "surrogateescape")
    if options["src"] is None:
        return None
    try:
        with open(options["src"], "rb") as source:
            return source.read()
    except OSError as problem:
        raise BadOptions(
            "src %s cannot be read (%s)" % (options["src"], problem.strerror), "name a file of the target"
        ) from problem


def _wanted(options, header):
    """The links that a task asks for: target to priority."""
    if options["targets"] is None:
        return header.targets if options["enabled"] else {}
    wanted = _targets(options["targets"])
    for target in wanted:
        check_target(target)
    header.supported(wanted)
    if not options["enabled"]:
        return {}
    return {target: header.targets[target] if wanted[target] is None else wanted[target] for target in wanted}


def _targets(given):
    """The option targets as a dict of target to priority, or None for the header's."""
    if isinstance(given, str):
        # As on Ansible's command line.
        try:
            given = json.loads(given)
        except ValueError:
            given = [target.strip() for target in given.split(",") if target.strip()]
    if isinstance(given, dict):
        return {str(target): _priority(target, given[target]) for target in given}
    if isinstance(given, list) and all(isinstance(target, str) for target in given):
        return dict.fromkeys(given)
    raise BadOptions("targets is neither a list nor a dict", "use some of %s" % ", ".join(TARGETS))


def _priority(target, given):
    if given is None or given == "":
        return None
    if not isinstance(given, bool) and re.match(r"[0-9]{1,2}\Z", str(given)):
        return int(given)
    raise BadOptions("the priority of %s is no number from 0 to 99" % target, "leave it empty to have the header's")


def _label(module, path, changed):
    """The SELinux context of a file of its kind, where there is SELinux and this is its system."""
    if module.params["root"] != "/" or not module.selinux_enabled() or (module.check_mode and changed):
        return changed
    return module.set_context_if_different(path, module.selinux_default_context(path), changed)


def _result(module, scripts, name, before, changed, content, links):
    result = dict(
        changed=changed, name=name, path=scripts.path(name), targets={target: links.get(target) for target in TARGETS}
    )
    if module._diff:
        result["diff"] = []
        if before.content != content:
            result["diff"].append(_content_diff(result["path"], before.content, content))
        if before.links != links:
            result["diff"].append(
                dict(
                    before_header="targets of " + name,
                    after_header="targets of " + name,
                    before=_shown(before.links),
                    after=_shown(links),
                )
            )
    return result


def _content_diff(path, before, after):
    diff = dict(before_header=path, after_header=path)
    if max(len(before or b""), len(after or b"")) > _LONGEST_DIFF:
        diff.update(src_larger=_LONGEST_DIFF)
        return diff
    diff.update(before=_text(before), after=_text(after))
    return diff


def _text(content):
    return (content or b"").decode("utf-8", "backslashreplace")


def _shown(links):
    return "".join("%s: %d\n" % (target, links[target]) for target in TARGETS if target in links)
