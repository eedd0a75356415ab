# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Scripts and the links that enable them, in real folders."""

import errno
import os
import re
import stat
import threading

import pytest

from ansible_collections.ovm.messaging.plugins.module_utils.firstboot.errors import (
    BadScript,
    LayoutError,
    UnknownTarget,
)
from ansible_collections.ovm.messaging.plugins.module_utils.firstboot.scripts import Scripts, check_content
from ansible_collections.ovm.messaging.plugins.module_utils.firstboot.targets import TARGETS


def content(name, **targets):
    lines = ["#!/usr/bin/python3", "### BEGIN PLUGIN INFO", "# name: " + name]
    lines += ["# %s: %d" % pair for pair in targets.items()]
    return "\n".join(lines + ["### END PLUGIN INFO", ""]).encode()


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "template.d"


@pytest.fixture
def scripts(folder):
    """Scripts with two of them: one for two targets, one for all."""
    (folder / "scripts").mkdir(parents=True)
    found = Scripts(directory=str(folder))
    found.install("network", content("network", configure=50, cleanup=40))
    found.install("all", content("all", **{target: 10 + n for n, target in enumerate(TARGETS)}))
    return found


def links(folder):
    """All that is in the folders of the targets: path to where it leads, or None."""
    return {
        path.relative_to(folder).as_posix(): os.readlink(path) if path.is_symlink() else None
        for target in TARGETS
        for path in folder.glob(target + ".d/*")
    }


def refused(kind, *said):
    """A context manager: this error, whose text has all that."""
    return pytest.raises(kind, match=".*".join(said))


# --- looking ------------------------------------------------------------------------------


def test_what_there_is_and_what_is_enabled(scripts, folder):
    assert scripts.names() == ["all", "network"]
    assert scripts.links() == {} and scripts.enabled("network") == {}
    assert scripts.path("network") == str(folder / "scripts/network")
    assert scripts.header("network").targets == {"configure": 50, "cleanup": 40}
    assert scripts.content("network") == content("network", configure=50, cleanup=40)
    assert scripts.content("missing") is None
    assert scripts.add("network")
    assert scripts.links() == {"network": {"configure": 50, "cleanup": 40}}
    assert scripts.enabled("network") == {"configure": 50, "cleanup": 40}


def test_what_is_no_script_is_none(scripts, folder):
    for name in (".network.new", "network~", "network.rpmsave", "net work", "-x"):
        (folder / "scripts" / name).write_text("")
    (folder / "scripts/__pycache__").mkdir()
    (folder / "scripts/folder").mkdir()
    (folder / "scripts/dangling").symlink_to("nowhere")
    (folder / "scripts" / os.fsdecode(b"\xff")).write_text("")
    assert scripts.names() == ["all", "network"]


def test_what_is_no_link_of_a_script_is_left_alone(scripts, folder):
    place = folder / "configure.d"
    place.mkdir()
    for name in (
        "README",
        "5network",
        "network",
        "50",
        ".99network",
        "50net work",
        "50network.rpmsave",
        "x50network",
    ):
        (place / name).symlink_to("../scripts/network")
    (place / "60network").write_text("no link")
    (place / "70network").mkdir()
    before = links(folder)
    assert scripts.links() == {} and scripts.chain("configure") == []
    assert scripts.add("network") and scripts.enabled("network") == {"configure": 50, "cleanup": 40}
    assert scripts.delete("network")
    assert links(folder) == before


def test_a_name_that_begins_with_digits_is_told_from_the_priority(scripts):
    scripts.install("3com", content("3com", configure=5))
    scripts.add("3com")
    assert scripts.chain("configure")[0][:2] == (5, "3com")


def test_a_chain_has_ascending_priorities_and_then_names(scripts, folder):
    for name, priority in (("b", 30), ("a", 30), ("last", 99), ("first", 0)):
        scripts.install(name, content(name, configure=priority))
        scripts.add(name)
    assert scripts.chain("configure") == [
        (priority, name, str(folder / "scripts" / name))
        for priority, name in ((0, "first"), (30, "a"), (30, "b"), (99, "last"))
    ]
    assert scripts.chain("cleanup") == []
    assert scripts.chain("configure", only="b") == [(30, "b", str(folder / "scripts/b"))]


def test_a_chain_with_one_script_wants_it_enabled(scripts):
    scripts.add("all")
    with refused(
        BadScript, "'network' is not enabled for configure: ", "'ovm-chkconfig --target=configure network on'"
    ):
        scripts.chain("configure", only="network")
    with refused(BadScript, "there is no script 'missing'"):
        scripts.chain("configure", only="missing")
    with refused(BadScript, "cannot be a script's name"):
        scripts.chain("configure", only="../network")
    with refused(UnknownTarget, "there is no target 'boot': use one of configure, "):
        scripts.chain("boot")


def test_a_missing_script_stays_in_the_chain(scripts, folder):
    scripts.add("network")
    os.unlink(scripts.path("network"))
    assert scripts.chain("configure") == [(50, "network", str(folder / "scripts/network"))]
    assert scripts.links() == {"network": {"configure": 50, "cleanup": 40}}
    assert scripts.names() == ["all"]


def test_of_two_links_of_a_script_the_first_holds(scripts, folder):
    scripts.add("network")
    (folder / "configure.d/20network").symlink_to("../scripts/network")
    assert scripts.enabled("network") == {"configure": 20, "cleanup": 40}
    assert [entry[:2] for entry in scripts.chain("configure")] == [(20, "network")]


def test_the_links_of_the_vendor_are_as_good(scripts, folder):
    scripts.add("network")
    link = folder / "configure.d/50network"
    link.unlink()
    link.symlink_to(folder / "scripts/network")
    assert not scripts.add("network")
    assert os.readlink(link) == str(folder / "scripts/network")


def test_folders_that_are_missing_mean_that_nothing_is_enabled(tmp_path):
    (tmp_path / "template.d").mkdir()
    scripts = Scripts(directory=str(tmp_path / "template.d"))
    assert scripts.names() == [] and scripts.links() == {} and scripts.chain("resume") == []


@pytest.mark.parametrize("what", ["missing", "file"])
def test_without_the_directory_everything_says_so(tmp_path, what):
    if what == "file":
        (tmp_path / "file").write_text("")
    scripts = Scripts(directory=str(tmp_path / what))
    for work in (
        scripts.names,
        scripts.links,
        lambda: scripts.enabled("network"),
        lambda: scripts.chain("configure"),
        lambda: scripts.chain("configure", "network"),
        lambda: scripts.delete("network"),
        lambda: scripts.arrange("network", {"configure": 50}),
        lambda: scripts.set("network", None, False),
    ):
        with refused(LayoutError, "there is no directory %s/%s: install ovm-template-config" % (tmp_path, what)):
            work()
    with refused(BadScript, "there is no script 'network': it would be %s/" % tmp_path):
        scripts.add("network")


# --- links --------------------------------------------------------------------------------


def test_add_makes_the_links_of_the_header_and_the_second_time_nothing(scripts, folder):
    assert scripts.add("network")
    expected = {"configure.d/50network": "../scripts/network", "cleanup.d/40network": "../scripts/network"}
    assert links(folder) == expected
    assert (folder / "configure.d/50network").samefile(folder / "scripts/network")
    there = os.lstat(folder / "configure.d/50network")
    assert not scripts.add("network")
    assert os.lstat(folder / "configure.d/50network").st_ino == there.st_ino
    assert links(folder) == expected


def test_add_takes_back_what_was_switched_by_hand(scripts, folder):
    scripts.add("network")
    scripts.set("network", ["configure"], False)
    scripts.set("network", ["cleanup"], True, 77)
    (folder / "resume.d").mkdir()
    (folder / "resume.d/50network").symlink_to("../scripts/network")
    assert scripts.enabled("network") == {"cleanup": 77, "resume": 50}
    assert scripts.add("network")
    assert scripts.enabled("network") == {"configure": 50, "cleanup": 40}


def test_add_refuses_what_cannot_run(scripts, folder):
    (folder / "scripts/plain").write_bytes(content("plain", configure=5))
    (folder / "scripts/headless").write_bytes(b"#!/bin/sh\n")
    (folder / "scripts/copy").write_bytes(content("original", configure=5))
    for name, said in {
        "missing": "there is no script 'missing': it would be %s/scripts/missing" % folder,
        "plain": "the script {0} is not executable: run 'chmod 0755 {0}'".format(folder / "scripts/plain"),
        "headless": "the script %s has no header" % (folder / "scripts/headless"),
        "copy": "has the name 'original': name the script and its file alike, here 'copy'",
        "../x": "cannot be a script's name",
        "": "cannot be a script's name",
    }.items():
        with refused(BadScript, said):
            scripts.add(name)
    assert links(folder) == {}


def test_delete_removes_the_links_alone(scripts, folder):
    scripts.add("all")
    scripts.add("network")
    assert scripts.delete("all") and not scripts.delete("all")
    assert scripts.links() == {"network": {"configure": 50, "cleanup": 40}}
    assert scripts.names() == ["all", "network"]
    os.unlink(scripts.path("network"))
    assert scripts.delete("network") and links(folder) == {}


def test_targets_are_switched_one_by_one_and_together(scripts):
    assert scripts.set("network", ["cleanup"], True) and not scripts.set("network", ["cleanup"], True)
    assert scripts.enabled("network") == {"cleanup": 40}
    assert scripts.set("network", None, True) and not scripts.set("network", None, True)
    assert scripts.enabled("network") == {"configure": 50, "cleanup": 40}
    assert scripts.set("network", ("cleanup", "configure"), False)
    assert scripts.enabled("network") == {}
    assert not scripts.set("network", None, False) and not scripts.set("network", ["resume"], False)


def test_switching_on_keeps_a_priority_and_another_one_replaces_it(scripts, folder):
    scripts.set("network", ["configure"], True, 7)
    assert links(folder) == {"configure.d/07network": "../scripts/network"}
    assert scripts.set("network", None, True)
    assert scripts.enabled("network") == {"configure": 7, "cleanup": 40}
    assert scripts.set("network", ["configure"], True, 8) and not scripts.set("network", ["configure"], True, 8)
    assert scripts.enabled("network") == {"configure": 8, "cleanup": 40}


def test_switching_off_needs_no_script_but_something(scripts):
    scripts.add("network")
    with open(scripts.path("network"), "w") as broken:
        broken.write("no header")
    assert scripts.set("network", ["configure"], False)
    os.unlink(scripts.path("network"))
    assert scripts.set("network", None, False)
    with refused(BadScript, "there is no script 'network'"):
        scripts.set("network", None, False)


def test_only_targets_of_the_header_can_be_switched_on(scripts, folder):
    with refused(BadScript, "'network' does not support suspend and resume: by its header, it supports configure, cle"):
        scripts.set("network", ["configure", "suspend", "resume"], True)
    for on in (True, False):
        with refused(UnknownTarget, "there is no target 'boot'"):
            scripts.set("network", ["configure", "boot"], on)
    with refused(BadScript, "100 is no priority of 'network': give a number from 0 to 99"):
        scripts.set("network", None, True, 100)
    with refused(UnknownTarget, "there is no target 'boot'"):
        scripts.arrange("network", {"boot": 5})
    with refused(BadScript, "-1 is no priority"):
        scripts.arrange("network", {"configure": -1})
    assert links(folder) == {}


def test_what_is_amiss_is_put_right(scripts, folder):
    scripts.add("network")
    place = folder / "configure.d"
    # two links, and the right one leads astray
    (place / "50network").unlink()
    (place / "50network").symlink_to("../scripts/all")
    (place / "60network").symlink_to("/nowhere")
    assert scripts.arrange("network", {"configure": 50, "cleanup": 40}, check=True)
    assert scripts.add("network") and not scripts.add("network")
    assert links(folder) == {"configure.d/50network": "../scripts/network", "cleanup.d/40network": "../scripts/network"}
    # another priority, and it leads astray
    os.rename(place / "50network", place / "70network")
    (place / "70network").unlink()
    (place / "70network").symlink_to("nowhere")
    assert scripts.add("network") and os.readlink(place / "50network") == "../scripts/network"
    assert sorted(os.listdir(place)) == ["50network"]


def test_what_is_no_link_is_not_overwritten(scripts, folder):
    (folder / "configure.d").mkdir()
    (folder / "configure.d/50network").write_text("precious")
    with refused(LayoutError, "configure.d/50network is no link: move it away"):
        scripts.add("network")
    assert (folder / "configure.d/50network").read_text() == "precious"


def test_with_check_the_answer_is_the_same_and_nothing_changes(scripts, folder):
    for wanted in ({"configure": 50}, {"configure": 50, "cleanup": 7}, {"configure": 51}, {"configure": 51}, {}, {}):
        before = links(folder)
        expected = scripts.arrange("network", wanted, check=True)
        assert links(folder) == before
        assert scripts.arrange("network", wanted) == expected
        assert not scripts.arrange("network", wanted, check=True)


# --- scripts ------------------------------------------------------------------------------


def test_a_script_is_installed_where_there_is_nothing_yet(tmp_path):
    scripts = Scripts(directory=str(tmp_path / "etc/template.d"))
    data = content("network", configure=50)
    assert scripts.install("network", data, check=True) and not (tmp_path / "etc").exists()
    assert scripts.arrange("network", {"configure": 50}, check=True)
    assert not scripts.arrange("network", {}, check=True)
    assert scripts.install("network", data)
    path = tmp_path / "etc/template.d/scripts/network"
    assert path.read_bytes() == data and stat.S_IMODE(path.stat().st_mode) == 0o755
    assert (path.stat().st_uid, path.stat().st_gid) == (os.geteuid(), os.getegid())
    assert os.listdir(path.parent) == ["network"]


def test_a_script_is_replaced_where_it_differs_and_its_links_stay(scripts, folder):
    scripts.add("network")
    path = folder / "scripts/network"
    data = content("network", configure=50, resume=1)
    there = path.stat().st_ino
    assert not scripts.install("network", content("network", configure=50, cleanup=40))
    assert path.stat().st_ino == there
    with open(path) as reader:
        old = os.fstat(reader.fileno()).st_size
        assert scripts.install("network", data, check=True) and path.stat().st_ino == there
        assert scripts.install("network", data) and not scripts.install("network", data)
        # Who runs the old one keeps it whole.
        assert os.fstat(reader.fileno()).st_size == old == len(reader.read())
    assert scripts.enabled("network") == {"configure": 50, "cleanup": 40}
    os.chmod(path, 0o644)
    assert scripts.install("network", data) and os.access(path, os.X_OK)


def test_a_link_is_replaced_not_what_it_leads_to(scripts, folder, tmp_path):
    data = content("linked", configure=5)
    (tmp_path / "elsewhere").write_bytes(data)
    (tmp_path / "elsewhere").chmod(0o755)
    (folder / "scripts/linked").symlink_to(tmp_path / "elsewhere")
    assert scripts.names() == ["all", "linked", "network"]
    assert scripts.header("linked").targets == {"configure": 5} and scripts.add("linked")
    newer = content("linked", configure=6)
    assert scripts.install("linked", newer) and not (folder / "scripts/linked").is_symlink()
    assert (tmp_path / "elsewhere").read_bytes() == data
    (folder / "scripts/linked").unlink()
    (folder / "scripts/linked").symlink_to(tmp_path / "elsewhere")
    assert scripts.remove("linked") and (tmp_path / "elsewhere").exists()
    assert "linked" not in scripts.names() and links(folder) == {}


@pytest.mark.parametrize(
    "data, said",
    [
        (b"", "the script 'network' does not say what runs it: begin it with a line such as '#!/usr/bin/python3'"),
        (b"\n" + content("network", configure=5), "does not say what runs it"),
        (b"#!\n" + content("network", configure=5), "does not say what runs it"),
        (b"\xef\xbb\xbf" + content("network", configure=5), "does not say what runs it"),
        (content("network", configure=5).replace(b"\n", b"\r\n"), "end as in DOS, so that it cannot run: convert it"),
        (b"#!/bin/sh\n", "the script 'network' has no header"),
        (content("other", configure=5), "the header of the script 'network' has the name 'other'"),
        (content("network"), "has no target"),
    ],
)
def test_what_could_not_run_is_not_installed(scripts, data, said):
    before = scripts.content("network")
    for check in (True, False):
        with refused(BadScript, said):
            scripts.install("network", data, check)
    assert scripts.content("network") == before
    with refused(BadScript, "cannot be a script's name"):
        check_content("../network", content("network", configure=5))


def test_a_script_is_removed_with_its_links(scripts, folder):
    scripts.add("network")
    scripts.add("all")
    before = links(folder)
    assert scripts.remove("network", check=True)
    assert links(folder) == before and scripts.names() == ["all", "network"]
    assert scripts.remove("network") and not scripts.remove("network") and not scripts.remove("network", check=True)
    assert scripts.names() == ["all"] and list(scripts.links()) == ["all"]
    # only links, only a script
    os.unlink(scripts.path("all"))
    assert scripts.remove("all", check=True) and scripts.remove("all") and links(folder) == {}
    scripts.install("all", content("all", configure=5))
    assert scripts.remove("all", check=True) and scripts.remove("all") and not scripts.remove("all")


def test_there_is_nothing_to_remove_where_there_is_no_directory(tmp_path):
    assert not Scripts(directory=str(tmp_path / "missing")).remove("network")


# --- another system's files ---------------------------------------------------------------


@pytest.fixture
def image(tmp_path):
    """The file system of a guest, where scripts are elsewhere by links that are right in there only."""
    root = tmp_path / "image"
    (root / "opt/template/links").mkdir(parents=True)
    (root / "etc").mkdir()
    (root / "etc/template.d").symlink_to("/opt/../opt/./template")
    (root / "opt/template/scripts").symlink_to("../../srv/scripts")
    (root / "opt/template/cleanup.d").symlink_to("/etc/template.d/links")
    (root / "srv/scripts").mkdir(parents=True)
    return root


def test_in_an_image_links_lead_where_they_would_in_there(image):
    scripts = Scripts(root=str(image))
    assert scripts.install("network", content("network", configure=50, cleanup=40))
    assert scripts.add("network") and not scripts.add("network")
    assert (image / "srv/scripts/network").is_file()
    assert os.readlink(image / "opt/template/configure.d/50network") == "../scripts/network"
    assert os.readlink(image / "opt/template/links/40network") == "../scripts/network"
    assert scripts.chain("cleanup") == [(40, "network", str(image / "srv/scripts/network"))]
    (image / "srv/scripts/linked").symlink_to("/usr/bin/linked")
    (image / "usr/bin").mkdir(parents=True)
    (image / "usr/bin/linked").write_bytes(content("linked", configure=5))
    assert scripts.header("linked").name == "linked" and scripts.content("linked")
    assert scripts.names() == ["linked", "network"]
    assert scripts.remove("linked") and (image / "usr/bin/linked").exists()
    (image / "srv/scripts/escape").symlink_to("../../../../../../../../bin/sh")
    with refused(BadScript, "the script %s/bin/sh cannot be read" % image):
        scripts.header("escape")


def test_in_an_image_links_may_go_round_in_circles(image):
    (image / "opt/template/resume.d").symlink_to("/etc/template.d/suspend.d")
    (image / "opt/template/suspend.d").symlink_to("/etc/template.d/resume.d")
    scripts = Scripts(root=str(image))
    with refused(LayoutError, "resume.d leads through too many links: see where they go round in circles"):
        scripts.chain("resume")
    assert scripts.chain("configure") == []


# --- what goes wrong ----------------------------------------------------------------------


@pytest.mark.parametrize(
    "number, said",
    [
        (errno.EACCES, "Permission denied.: run this as root"),
        (errno.EPERM, "Operation not permitted.: run this as root"),
        (errno.EROFS, "Read-only file system.: its file system is mounted read-only"),
        (errno.ENOSPC, "No space left on device.: make room in its file system"),
        (errno.EDQUOT, "Disk quota exceeded.: make room in its file system"),
        (errno.EIO, "Input/output error.: see what is there"),
    ],
)
@pytest.mark.parametrize(
    "call, work, what",
    [
        ("symlink", lambda scripts: scripts.add("network"), "the links in .*configure.d cannot be changed"),
        ("rename", lambda scripts: scripts.add("network"), "the links in .*configure.d cannot be changed"),
        ("makedirs", lambda scripts: scripts.add("network"), "the links in .*configure.d cannot be changed"),
        ("unlink", lambda scripts: scripts.delete("all"), "the links in .*configure.d cannot be changed"),
        (
            "fsync",
            lambda scripts: scripts.install("network", content("network", resume=1)),
            "network cannot be written",
        ),
        (
            "rename",
            lambda scripts: scripts.install("network", content("network", resume=1)),
            "network cannot be written",
        ),
        ("makedirs", lambda scripts: scripts.install("x", content("x", resume=1)), "the directory .* cannot be made"),
        ("unlink", lambda scripts: scripts.remove("network"), "the script .*network cannot be removed"),
        ("open", lambda scripts: scripts.add("network"), "the script .*network cannot be read|directory .* cannot be"),
        ("stat", lambda scripts: scripts.names(), "the directory .* cannot be read"),
        ("listdir", lambda scripts: scripts.names(), "the directory .*scripts cannot be read"),
    ],
)
def test_what_the_system_refuses_is_told_with_a_remedy(scripts, folder, monkeypatch, number, said, call, work, what):
    scripts.add("all")
    before = {name: scripts.content(name) for name in scripts.names()}

    def refuse(*_arguments, **_more):
        raise OSError(number, os.strerror(number))

    with monkeypatch.context() as patched:
        patched.setattr(os, call, refuse)
        expected = BadScript if (call, what[:10]) == ("open", "the script") else LayoutError
        with pytest.raises(expected) as caught:
            work(scripts)
    assert re.search("(%s)" % what + (" ." + said if expected is LayoutError else ""), str(caught.value))
    assert {name: scripts.content(name) for name in scripts.names()} == before
    assert [name for name in os.listdir(folder / "scripts") if name.startswith(".")] == []


def dying_at(number, monkeypatch):
    """Have the process end before its Nth change of a folder, as by a kill: nothing is cleaned up."""
    count = [0]

    def wrapped(function):
        def call(*arguments, **more):
            count[0] += 1
            if count[0] == number:
                os._exit(9)
            return function(*arguments, **more)

        return call

    for name in ("symlink", "rename", "unlink", "makedirs", "fsync", "fchmod"):
        monkeypatch.setattr(os, name, wrapped(getattr(os, name)))


@pytest.mark.parametrize("number", range(1, 22))
def test_killed_at_any_moment_nothing_is_half_done_and_the_next_run_ends_it(scripts, folder, monkeypatch, number):
    old, new = content("network", configure=50, cleanup=40), content("network", configure=60, resume=1)
    scripts.add("network")
    child = os.fork()
    if child == 0:  # what it does up to its end is seen from outside
        try:
            dying_at(number, monkeypatch)
            scripts.install("network", new)
            scripts.add("network")
            scripts.remove("all")
            os._exit(0)
        finally:
            os._exit(1)
    _pid, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == (9 if number < 18 else 0)
    assert scripts.content("network") in (old, new) and os.access(scripts.path("network"), os.X_OK)
    assert [entry[:2] for entry in scripts.chain("configure")] in ([(50, "network")], [(60, "network")])
    assert set(scripts.names()) <= {"all", "network"}
    assert all(scripts.header(name).name == name for name in scripts.names())
    scripts.install("network", new)
    scripts.add("network")
    scripts.remove("all")
    assert links(folder) == {"configure.d/60network": "../scripts/network", "resume.d/01network": "../scripts/network"}
    # Nor has it left anything behind: these are all files that there are.
    assert os.listdir(folder / "scripts") == ["network"]


def test_those_who_change_at_once_undo_nothing_of_each_other(scripts, folder):
    """Each switches a target of its own; readers always find every script once or not at all."""
    failures, done = [], threading.Event()

    def switch(target):
        try:
            mine = Scripts(directory=str(folder))
            for number in range(20):
                mine.set("all", [target], True, number)
                mine.set("all", [target], False)
            mine.set("all", [target], True, 33)
        except BaseException as problem:
            failures.append(problem)

    def read():
        try:
            while not done.is_set():
                for target in TARGETS:
                    assert len(scripts.chain(target)) <= 1
        except BaseException as problem:
            failures.append(problem)

    writers = [threading.Thread(target=switch, args=(target,)) for target in TARGETS]
    reader = threading.Thread(target=read)
    for thread in [reader] + writers:
        thread.start()
    for thread in writers:
        thread.join(60)
    done.set()
    reader.join(60)
    assert not failures
    assert scripts.enabled("all") == dict.fromkeys(TARGETS, 33)
    assert set(links(folder)) == {"%s.d/33all" % target for target in TARGETS}


def test_another_priority_never_means_twice_or_not_at_all(scripts, folder, monkeypatch):
    scripts.add("network")
    seen = []

    def watched(function):
        def call(*arguments, **more):
            result = function(*arguments, **more)
            seen.append([entry[0] for entry in scripts.chain("configure")])
            return result

        return call

    for name in ("symlink", "rename", "unlink"):
        monkeypatch.setattr(os, name, watched(getattr(os, name)))
    scripts.set("network", ["configure"], True, 60)
    assert {tuple(priorities) for priorities in seen} <= {(50,), (60,)} and seen[-1] == [60]


def test_a_link_that_cannot_get_its_name_leaves_none_of_another(scripts, folder, monkeypatch):
    def fail(_source, _target):
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    monkeypatch.setattr(os, "rename", fail)
    with refused(LayoutError, "configure.d cannot be changed", "mounted read-only"):
        scripts.add("network")
    assert not list(folder.glob("*.d/.*"))
