# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a page of the documentation has a reader do: its blocks, and the commands in them."""

import dataclasses
import pathlib
import re

ROOT = pathlib.Path(__file__).resolve().parents[3]

#: Languages of blocks that are pictures or samples of text.
NOTHING_TO_RUN = ("text", "mermaid", "dot")
_FENCE = re.compile(r"^(?P<indent> *)(?P<fence>`{3,}|~{3,})(?P<info>[^`\n]*)$")
#: "Save this as `site.yml`:" before a block says that the block is that file.
_NAMED = re.compile(r"(?:[Tt]his as `(?P<this>[\w./-]+)`|`(?P<name>[\w./-]*[\w-]+\.[\w.-]+)`):\s*$")
_PROMPT = re.compile(r"^(?P<prompt>(?P<place>[\w.-]*)[$#]) (?P<command>.*)$")
#: A word in capitals stands for something: `ansible-doc NAME` is no command yet.
_FORM = re.compile(r"(?<![A-Z_$])\b[A-Z]{3,}\b")
_INLINE = re.compile(r"`(ansible(?:-playbook|-doc|-inventory)? [^`]+)`")


@dataclasses.dataclass
class Command:
    """A command that is shown with its prompt.

    :ivar place: the machine in the prompt, as in ``web1# ovmd -l``; empty if there is none.
    :ivar prompt: ``$`` or ``#``.
    :ivar text: the command line, or lines.
    :ivar shown: what the page says that it prints.
    :ivar line: where in the page.
    """

    place: str
    prompt: str
    text: str
    line: int
    shown: str = ""


@dataclasses.dataclass
class Block:
    """A fenced block, or a command within the text, whose language is ``inline``.

    :ivar file: the name that the line before it gives it, or None.
    :ivar heading: of its section.
    """

    language: str
    text: str
    line: int
    heading: str = ""
    file: str = None

    def commands(self):
        """The commands of a console session.

        A backslash at its end continues a line, and so does a next line that begins with ``> ``.

        :rtype: list of Command
        """
        found, open_line = [], False
        for number, line in enumerate(self.text.splitlines(), self.line + 1):
            start = _PROMPT.match(line)
            if found and open_line:
                found[-1].text += "\n" + line
            elif start:
                found.append(Command(start["place"], start["prompt"][-1], start["command"], number))
            elif not found:
                raise ValueError("line %d: a session begins with a prompt: $ or #" % number)
            elif line.startswith("> ") and not found[-1].shown:
                found[-1].text += "\n" + line[2:]
            else:
                found[-1].shown += line + "\n"
            open_line = line.endswith("\\") and not found[-1].shown
        return found

    def command_text(self):
        """All commands in it, without what they print; empty for a block that has none."""
        if self.language == "console":
            return "\n".join(command.text for command in self.commands())
        return self.text if self.language in ("sh", "inline") else ""


class Page:
    """A page.

    :param str name: its path in the repository.
    :param str text: what it says.
    :ivar list blocks: in their order.
    """

    def __init__(self, name, text):
        self.name, self.blocks = name, list(_blocks(text))

    @classmethod
    def of(cls, path):
        """:param pathlib.Path path: where it is."""
        return cls(path.relative_to(ROOT).as_posix(), path.read_text(encoding="utf-8"))

    def names_later(self, block):
        """Whether a command after a block names its file, so that this is how it is used."""
        later = self.blocks[self.blocks.index(block) + 1 :]
        used = re.compile(r"(?<![\w.-])%s(?![\w-])" % re.escape(block.file))
        return any(used.search(other.command_text()) for other in later)


def pages():
    """All pages that show people commands and playbooks.

    :rtype: list of pathlib.Path
    """
    found = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *ROOT.glob("tests/lab/**/README.md")]
    found += [*ROOT.glob("roles/**/README.md"), *ROOT.glob("docs/**/*.md")]
    return sorted(found)


def _blocks(text):
    heading, before, fence, lines, start = "", "", None, [], 0
    in_comment = False
    for number, line in enumerate(text.splitlines(), 1):
        match = _FENCE.match(line)
        if fence:
            if match and match["fence"].startswith(fence["fence"]) and not match["info"].strip():
                named = _NAMED.search(before)
                body = "".join(each[len(fence["indent"]) :] + "\n" for each in lines)
                words = fence["info"].split() or [""]
                yield Block(words[0].strip("{}"), body, start, heading, named and (named["this"] or named["name"]))
                fence, before = None, ""
            else:
                lines.append(line)
        elif match:
            fence, lines, start = match, [], number
        elif in_comment or line.startswith("<!--"):
            in_comment = "-->" not in line
        else:
            if line.startswith("#"):
                heading = line.lstrip("# ")
            before = line if line.strip() else before
            for inline in _INLINE.finditer(line):
                if _FORM.search(inline[1]):
                    continue
                yield Block("inline", inline[1] + "\n", number, heading)
    if fence:
        raise ValueError("line %d: a block that does not end" % start)
