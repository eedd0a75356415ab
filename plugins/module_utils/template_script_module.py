# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: BSD-2-Clause
"""What ovm_template_script does. Private to this collection.

Options in, results out, errors to fail_json; what happens in between is the first-boot core's.
"""

import json
import re

from ansible.module_utils.basic import env_fallback

from .firstboot.errors import FirstBootError
from .firstboot.scripts import DIRECTORY, Scripts, check_content
from .firstboot.targets import TARGETS, check_target
from .problem import Problem

OPTIONS = dict(
    name=dict(type="str", required=True),
    state=dict(type="str", choices=["present", "absent"], default="present"),
    src=dict(type="path"),
    content=dict(type="str"),
    remote_src=dict(type="bool", default=False),
    enabled=dict(type="bool", default=True),
    targets=dict(type="raw"),
    template_dir=dict(type="path", default=DIRECTORY, fallback=(env_fallback, ["OVM_TEMPLATE_DIR"])),
    root=dict(type="path", default="/"),
)
RULES = dict(mutually_exclusive=[("src", "content")])

# As much as ansible.builtin.copy shows.
_LONGEST_DIFF = 104448


class BadOptions(FirstBootError):
    """Options that do not go together, or are not what they should be."""


def run(module):
    """Do the module's work and end it: with its result, or with what went wrong."""
    try:
        result = _absent(module) if module.params["state"] == "absent" else _present(module)
    except Problem as problem:
        module.fail_json(msg=str(problem))
    module.exit_json(**result)


def _absent(module):
    scripts, name = _scripts(module.params), module.params["name"]
    before = _State(scripts, name)
    changed = scripts.remove(name, check=module.check_mode)
    return _result(module, scripts, before, changed, content=None, links={})


def _present(module):
    """Everything is looked at before anything is changed, in check mode as well."""
    options, name = module.params, module.params["name"]
    scripts = _scripts(options)
    content = _content(options)
    if content is not None:
        header = check_content(name, content)
    else:
        header = scripts.runnable(name) if options["enabled"] else scripts.header(name)
    links = _wanted(options, header)
    before = _State(scripts, name)
    changed = False
    if content is not None:
        changed = scripts.install(name, content, check=module.check_mode)
        changed = _label(module, scripts.path(name), changed)
    if scripts.arrange(name, links, check=module.check_mode):
        changed = True
    result = _result(module, scripts, before, changed, before.content if content is None else content, links)
    result["header"] = dict(header._asdict())
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


def _scripts(options):
    return Scripts(options["root"], options["template_dir"])


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


def _result(module, scripts, before, changed, content, links):
    name = module.params["name"]
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
