# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a page takes for granted, and what of it cannot be run here."""

import dataclasses
import importlib.util
import pathlib
import typing

STORIES = pathlib.Path(__file__).with_name("stories")


@dataclasses.dataclass
class Story:
    """The world of one page. The keys of all dicts are texts that stand in the block or command that is meant.

    :ivar guests: names of virtual machines.
    :ivar daemons: whether ovmd runs in each of them.
    :ivar gateway: whether there is a gateway, which is the manager.
    :ivar root: whose prompt ``#`` is: a guest's name, or ``dom0``.
    :ivar environment: which variables of the gateway's clients the reader has set before.
    :ivar variables: of Ansible, which the reader's inventory or vault has.
    :ivar groups: of the inventory that is there where a page gives none.
    :ivar files: what else is in the reader's folder: name to content.
    :ivar replace: texts of the page, and what they are here; ``{root}`` is the world's folder.
    :ivar varies: pairs of a pattern and a word: what differs from run to run, in what is printed.
    :ivar before: what happens before a block or command: a function of the world.
    :ivar typed: what a person types: pairs of what is asked and the answer; ``{password}`` is the gateway's.
    :ivar codes: exit codes other than 0 of commands that show no error.
    :ivar warnings: texts of Ansible's warnings that are meant.
    :ivar checked: blocks of variables and data: a function of the world and the block.
    :ivar elsewhere: what another test runs: its file in the repository, and a text there.
    :ivar nowhere: what no test runs, and why.
    :ivar clone: whether the reader's folder stands for a clone: its toolchain is there.
    :ivar setup: what happens before all: a function of the world.
    :ivar end: what has to happen after all, in any case.
    """

    guests: tuple = ("web1", "web2")
    daemons: bool = True
    gateway: bool = True
    root: str = "web1"
    environment: tuple = ("OVM_HOST", "OVM_PORT", "OVM_USER", "OVM_PASSWORD", "OVM_CA_FILE")
    variables: dict = dataclasses.field(default_factory=dict)
    groups: dict = dataclasses.field(default_factory=dict)
    files: dict = dataclasses.field(default_factory=dict)
    replace: dict = dataclasses.field(default_factory=dict)
    varies: tuple = ()
    before: dict = dataclasses.field(default_factory=dict)
    typed: dict = dataclasses.field(default_factory=dict)
    codes: dict = dataclasses.field(default_factory=dict)
    warnings: tuple = ()
    checked: dict = dataclasses.field(default_factory=dict)
    elsewhere: dict = dataclasses.field(default_factory=dict)
    nowhere: dict = dataclasses.field(default_factory=dict)
    clone: bool = False
    setup: typing.Callable = None
    end: typing.Callable = None

    def __post_init__(self):
        self._used = set()

    def find(self, kind, text):
        """What a dict has for a block or command, or None; it counts as used.

        :param str kind: the dict's name.
        :param str text: of the block or command.
        """
        for fragment, value in getattr(self, kind).items():
            if fragment in text + "\n":
                self._used.add((kind, fragment))
                return value
        return None

    def unused(self):
        """Entries that nothing on the page has asked for."""
        kinds = ("before", "typed", "codes", "checked", "elsewhere", "nowhere")
        return [
            "%s: %s" % (kind, fragment)
            for kind in kinds
            for fragment in getattr(self, kind)
            if (kind, fragment) not in self._used
        ]


def path_of(page):
    """Where the story of a page is, if there is one.

    :param str page: its path in the repository.
    """
    return (STORIES / page).with_suffix(".py")


def story_of(page):
    """A page's story; that of a page without one is the ordinary world.

    :rtype: Story
    """
    path = path_of(page)
    if not path.exists():
        return Story()
    spec = importlib.util.spec_from_file_location("story_" + path.stem.replace("-", "_"), path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.STORY
