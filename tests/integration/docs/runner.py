# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Does what a page says, block by block, and compares what is printed with what the page says of that."""

import pathlib
import re
import shlex

import yaml

from .markdown import NOTHING_TO_RUN, ROOT

#: Programs whose output a page may leave out. What others print is always shown: nothing, if nothing is.
CHATTY = re.compile(r"(ansible|make|git|python|tests/bootstrap|curl|install|chroot|cat$|\.cache|pip)")
#: An error that a page shows. Then the command must fail.
_ERROR = re.compile(
    r"^((?:ovmd|ovm[-_][\w-]+|lab|ansible[\w-]*): |fatal: |.* \| FAILED! =>|\[ERROR\]|ERROR)|failed=[1-9]", re.M
)
#: What differs from run to run, in this order.
_VARIES = [
    (re.compile(pattern), word)
    for pattern, word in [
        (r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d+)?(?:Z|\+00:00)?", "TIME"),
        (r"\b(?:[0-9A-F]{2}:){31}[0-9A-F]{2}\b", "FINGERPRINT"),
        (r"\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b|\b[0-9a-f]{32}\b|\b[0-9a-f]{16}\b", "ID"),
        (r"(?<=\w)\[\d+\]", "[PID]"),
        (r"(?<![\d.])\d+\.\d+\.\d+(?!\d|\.\d)(?:(?:-dev|rc|b)\d*)?", "VERSION"),
        (r"\b\d+ (second|minute|hour|day)s? ago\b", "SOME TIME ago"),
        (r'("?seconds"?: )[\d.]+', r"\1SOME"),
        (r"\b[\d.]+ seconds?\b", "SOME seconds"),
        (r" \*{3,}(?=\n|$)", " ***"),
        (r"(?<=\S)[ \t]+(?=[\S])", " "),
        (r"[ \t]+(?=\n|$)", ""),
    ]
]
#: Tasks that belong into a guest.
_IN_GUEST = re.compile(r"ovm_guest_|ovm_template_|\bovmd -|\bovmd,|ovm-template-config|ovm-chkconfig|/etc/template\.d")
_PLAY_WORDS = {"module_defaults", "vars", "environment", "vars_files"}
_READS = {"guest": "ovm.messaging.ovm_guest_param_info", "manager": "ovm.messaging.ovm_vm_message_info"}


class _Loader(yaml.SafeLoader):
    """Takes tags such as !vault for what they are on."""


_Loader.add_multi_constructor("!", lambda loader, suffix, node: loader.construct_scalar(node))


class Runner:
    """Runs a page.

    :param Page page: it.
    :param World world: where.
    """

    def __init__(self, page, world):
        self._page, self._world, self._story = page, world, world.story
        #: All that was printed.
        self.printed = ""

    def run(self):
        for block in self._page.blocks:
            try:
                self._block(block)
            except Exception as problem:
                problem.add_note("%s, line %d" % (self._page.name, block.line))
                raise
        unused = self._story.unused()
        assert not unused, "the story of %s has what the page has not: %s" % (self._page.name, "; ".join(unused))

    def _block(self, block):
        if block.language in NOTHING_TO_RUN:
            return
        assert block.language, "a block without a language: text if there is nothing to run"
        if block.language == "console":
            for command in block.commands():
                self._command(command)
            return
        excused = self._excused(block.text)
        self._before(block.text)
        run = getattr(self, "_" + block.language, None)
        checked = self._story.find("checked", block.text)
        if excused and not (block.language == "yaml" and not checked):
            return
        if checked:
            self._write(block)
            checked(self._world, block)
        elif block.language == "yaml":
            self._yaml(block, excused)
        elif run:
            run(block)
        elif block.file and self._page.names_later(block):
            self._write(block)
        else:
            raise AssertionError("nothing runs this block, and its story does not say why")

    def _excused(self, text):
        return self._story.find("elsewhere", text) or self._story.find("nowhere", text)

    def _before(self, text):
        prepare = self._story.find("before", text)
        if prepare:
            prepare(self._world)

    def _write(self, block):
        if block.file:
            executable = block.text.startswith("#!")
            self._world.write(block.file, block.text, 0o755 if executable else 0o644)

    # --- commands

    def _command(self, command):
        if self._excused(command.text):
            return
        self._before(command.text)
        made = re.fullmatch(r"cat ([\w./-]+)", command.text.strip())
        if made and command.shown and not pathlib.Path(self._world.folder, self._world.real(made[1])).exists():
            self._world.write(made[1], command.shown)
        place = command.place or (self._story.root if command.prompt == "#" else "controller")
        typed = self._story.find("typed", command.text) or ()
        typed = [
            (asked, answer.replace("{password}", self._world.gateway.password if self._world.gateway else ""))
            for asked, answer in typed
        ]
        code, printed = self._world.shell(place).run(self._world.real(command.text), typed)
        printed = self._world.shown(printed)
        self.printed += printed
        code_wanted = self._story.find("codes", command.text)
        told = "line %d: %s\nexit code %d\n%s" % (command.line, command.text, code, printed)
        if code_wanted is not None:
            assert code == code_wanted, told
        elif _ERROR.search(command.shown):
            assert code != 0, "the page shows an error, and there was none: " + told
        else:
            assert code == 0, told
        if command.shown or not CHATTY.match(command.text):
            self._compare(command.shown, printed, told)
        else:
            self._see_warnings(printed)

    def _compare(self, shown, printed, told):
        assert re.fullmatch(self._pattern(shown), self._plain(printed)), "the page says otherwise: %s---\n%s" % (
            told,
            shown,
        )

    def _plain(self, text):
        for pattern, word in self._story.varies:
            text = re.sub(pattern, word, text)
        for pattern, word in _VARIES:
            text = pattern.sub(word, text)
        return "".join(line + "\n" for line in text.strip("\n").split("\n") if text.strip("\n"))

    def _pattern(self, shown):
        """What a page says is printed, as a pattern: ``...`` is any lines, or any text within a line."""
        pattern = ""
        for line in self._plain(shown).splitlines():
            if line.strip() == "...":
                pattern += r"(?:.*\n)*?"
            else:
                pattern += ".*?".join(re.escape(part) for part in line.split("...")) + "\n"
        return pattern

    def _sh(self, block):
        self._write(block)
        if block.file and self._page.names_later(block):
            return
        _code, printed = self._world.shell().run(self._world.real(block.text), strict=True)
        self.printed += self._world.shown(printed)

    def _python(self, block):
        self._write(block)
        if not (block.file and self._page.names_later(block)):
            path = self._world.write(block.file or "example-%d.py" % block.line, block.text)
            _code, printed = self._world.shell().run("python3 %s" % shlex.quote(str(path)), strict=True)
            self.printed += printed

    def _inline(self, block):
        code, printed = self._world.shell().run(self._world.real(block.text))
        assert code == 0, "%s\n%s" % (block.text, printed)
        self._see_warnings(printed)
        self.printed += self._world.shown(printed)

    # --- YAML

    def _yaml(self, block, excused):
        content = yaml.load(block.text, _Loader)
        is_play = isinstance(content, list) and any({"hosts", "import_playbook"} & set(item) for item in content)
        if block.file and self._page.names_later(block) and not (is_play and _applies_roles(content)):
            self._write(block)
            return
        if is_play:
            self._playbook(block.file or "play-%d.yml" % block.line, block.text, excused, _applies_roles(content))
        elif isinstance(content, list):
            text = "- hosts: %s\n  gather_facts: false\n  tasks:\n" % self._host(block.text)
            text += "".join("    " + line for line in block.text.splitlines(True))
            self._playbook("tasks-%d.yml" % block.line, text, excused, _applies_roles([{"tasks": content}]))
        elif set(content) <= _PLAY_WORDS:
            side = "guest" if "messaging.guest" in block.text else "manager"
            options = "vm: %s" % self._world.story.guests[0] if side == "manager" else "{}"
            text = "- hosts: %s\n  gather_facts: false\n" % (self._story.root if side == "guest" else "localhost")
            text += "".join("  " + line for line in block.text.splitlines(True))
            text += "  tasks:\n    - name: Read\n      %s:\n        %s\n" % (_READS[side], options)
            self._playbook("snippet-%d.yml" % block.line, text, excused, False)
        else:
            assert excused, "nothing uses these variables, and the story does not say what checks them"

    def _host(self, text):
        return self._story.root if _IN_GUEST.search(text) else "localhost"

    def _playbook(self, name, text, excused, roles):
        if excused and not roles:
            return
        assert excused or not roles, "a play of roles: its story has to say what runs it"
        self._world.write(name, text)
        command = "ansible-playbook %s%s" % ("--syntax-check " if roles else "", shlex.quote(name))
        code, printed = self._world.shell().run(command)
        assert code == 0, "%s\n%s" % (text, printed)
        self._see_warnings(printed)
        self.printed += self._world.shown(printed)

    def _see_warnings(self, printed):
        for line in printed.splitlines():
            # ansible-core 2.19 and newer warn of a part of their own, with ansible-doc.
            if "WARNING]" in line and "_protomatter" not in line:
                meant = any(text in line for text in self._story.warnings)
                assert meant, "a warning that the page does not tell of: " + printed


def _applies_roles(plays):
    """Whether plays install something: here they are checked for their syntax only."""
    text = str(plays)
    return any(word in text for word in ("'roles':", "include_role", "import_role", "import_playbook", "systemd"))


def excuses(story):
    """What a story says of what it does not run.

    :returns: of each fragment, the file that runs it and a text there, or the reason why nothing does.
    """
    for fragment, (path, text) in story.elsewhere.items():
        found = ROOT / path
        assert found.is_file(), "%s: there is no %s" % (fragment, path)
        assert text in found.read_text(encoding="utf-8"), "%s: %s has no %r" % (fragment, path, text)
    for fragment, reason in story.nowhere.items():
        assert len(reason) > 20, "%s: say why nothing runs it" % fragment
