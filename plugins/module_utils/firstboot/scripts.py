# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: BSD-2-Clause
"""The scripts of a guest, and the links that say which of them run for which target, and when.

As with init scripts, ``scripts/NAME`` is a script, and a link ``TARGET.d/NNNAME`` has it run for a target, with the
priority NN. (The directory is the vendor's. How the links are spelt is recalled from the vendor's manual.) The
link's own name says all; where it leads is for people. What is no link, or is called otherwise, is left alone.

Each link and script is made beside its place and then renamed, so that readers, who lock nothing, always find one
or the other; those who change wait for each other.
"""

import errno
import fcntl
import os
import re
import stat

from .errors import BadScript, LayoutError
from .header import LIMIT, Header, check_name, is_name, parse_header, read_header
from .targets import TARGETS, check_target

#: Where they are.
DIRECTORY = "/etc/template.d"

_LINK = re.compile(r"([0-9]{2})(.+)\Z")
_MODE = 0o755
# As many as the kernel follows.
_LINKS_FOLLOWED = 40


class Scripts:
    """The scripts and links of a guest.

    :param str root: the guest's file system: ``/``, or where that of another one is mounted.
    :param str directory: where they are in there.
    """

    def __init__(self, root: str = "/", directory: str = DIRECTORY) -> None:
        self._root, self._given = os.path.abspath(root), directory
        #: The directory, as seen from here.
        self.directory = self._seen(directory)

    def names(self) -> "list[str]":
        """The scripts that there are, with a header or without, sorted.

        :raises LayoutError: there is no directory of scripts.
        """
        self._check_directory()
        folder = self._seen(self._given, "scripts")
        return sorted(name for name in _listed(folder) if is_name(name) and os.path.isfile(self._script(name)))

    def links(self) -> "dict[str, dict[str, int]]":
        """All that is enabled: script to target to priority, also where the script is missing.

        :raises LayoutError: there is no directory.
        """
        self._check_directory()
        found = {}  # type: dict[str, dict[str, int]]
        for target in TARGETS:
            for priority, name, _link in self._links(target):
                # Of two links of one script, the first holds.
                found.setdefault(name, {}).setdefault(target, priority)
        return found

    def path(self, name: str) -> str:
        """:returns: where the script is, or would be."""
        return os.path.join(self._seen(self._given, "scripts"), check_name(name))

    def content(self, name: str) -> "bytes | None":
        """:returns: the script itself, or None where there is none that can be read."""
        check_name(name)
        try:
            with open(self._script(name), "rb") as source:
                return source.read()
        except OSError:
            return None

    def header(self, name: str) -> Header:
        """A script's header.

        :raises BadScript: the script is missing, has no good header, or one of another name.
        """
        path = self.path(name)
        if not os.path.lexists(path):
            raise BadScript("there is no script '%s'" % name, "it would be " + path)
        header = read_header(self._script(name))
        _check_same(header, name, path)
        return header

    def runnable(self, name: str) -> Header:
        """The header of a script that shall be enabled.

        :raises BadScript: see header(); or it is not executable.
        """
        header = self.header(name)
        if not os.access(self._script(name), os.X_OK):
            path = self.path(name)
            raise BadScript("the script %s is not executable" % path, "run 'chmod 0755 %s'" % path)
        return header

    def enabled(self, name: str) -> "dict[str, int]":
        """What a script is enabled for: target to priority, in the order of targets.TARGETS."""
        return self.links().get(check_name(name), {})

    def chain(self, target: str, only: "str | None" = None) -> "list[tuple[int, str, str]]":
        """What runs for a target, in that order: priority, name and path. A script may be missing.

        :param str only: just this script, which has to be enabled.
        :raises UnknownTarget: there is no such target.
        :raises BadScript: ``only`` is not enabled for it.
        :raises LayoutError: there is no directory.
        """
        check_target(target)
        self._check_directory()
        result, seen = [], set()
        for priority, name, _link in self._links(target):
            if name not in seen and only in (None, name):
                seen.add(name)
                result.append((priority, name, self._script(name)))
        if only is not None and not result:
            self.header(only)  # or says that there is no such script
            raise BadScript(
                "the script '%s' is not enabled for %s" % (only, target),
                "enable it with 'ovm-chkconfig --target=%s %s on'" % (target, only),
            )
        return result

    def add(self, name: str) -> bool:
        """Have exactly the links that a script's header gives, whatever there was before.

        :returns: whether anything was changed.
        :raises BadScript: the script is missing, not executable, or has no good header.
        """
        return self.arrange(name, self.runnable(name).targets)

    def delete(self, name: str) -> bool:
        """Have no links of a script, which itself stays; it may be missing.

        :returns: whether there were any.
        """
        return self.arrange(name, {})

    def set(self, name: str, targets, on: bool, priority: "int | None" = None) -> bool:
        """Enable or disable a script for some targets.

        :param targets: which; None means all that its header has, and to disable, all that there are.
        :param int priority: another than the header's. Without, a link that is there keeps its own.
        :returns: whether anything was changed.
        :raises UnknownTarget: there is no such target.
        :raises BadScript: the script is missing, or does not support a target.
        """
        for target in targets or ():
            check_target(target)
        if not on:
            if not self.enabled(name) and not os.path.lexists(self.path(name)):
                self.header(name)  # says that it is missing
            return self._work(name, dict.fromkeys(TARGETS if targets is None else targets))
        header = self.runnable(name)
        chosen = list(header.targets) if targets is None else list(targets)
        header.supported(chosen)
        if priority is not None:
            _check_priority(name, priority)
            return self._work(name, dict.fromkeys(chosen, priority))
        return self._work(name, {target: header.targets[target] for target in chosen}, keep=True)

    def arrange(self, name: str, wanted: "dict[str, int]", check: bool = False) -> bool:
        """Have exactly these links of a script.

        :param dict wanted: target to priority.
        :param bool check: change nothing.
        :returns: whether anything was, or would be, changed.
        """
        check_name(name)
        for target, priority in wanted.items():
            check_target(target)
            _check_priority(name, priority)
        return self._work(name, {target: wanted.get(target) for target in TARGETS}, check=check)

    def install(self, name: str, content: bytes, check: bool = False) -> bool:
        """Have a script with exactly this content, executable, of root if that is us. Its links stay as they are.

        :param bool check: change nothing.
        :returns: whether anything was, or would be, changed.
        :raises BadScript: it is none that could be run, or the header names another one.
        """
        path = self.path(name)
        check_content(name, content)
        if check:
            return not _same(path, content)
        with self._alone(make=True):
            if _same(path, content):
                return False
            with _Translated("the script %s cannot be written" % path):
                _replace_file(path, content)
        return True

    def remove(self, name: str, check: bool = False) -> bool:
        """Have neither a script nor links of it.

        :param bool check: change nothing.
        :returns: whether there was, or is, any.
        """
        path = self.path(name)
        if not os.path.lexists(self.directory):
            return False
        if check:
            return bool(self.enabled(name)) or os.path.lexists(path)
        with self._alone():
            # Links first: none of them may lead nowhere.
            changed = self._change_links(name, dict.fromkeys(TARGETS))
            with _Translated("the script %s cannot be removed" % path):
                return _discard(path) or changed

    # --- where things are ---------------------------------------------------------------

    def _seen(self, *parts):
        """A path of the guest, as seen from here: its links lead to where they would in there."""
        path = os.path.join(*parts)
        if self._root == "/":
            return path
        pending, followed = path.split("/")[::-1], 0
        done = []  # type: list[str]
        while pending:
            part = pending.pop()
            if part == "..":
                del done[-1:]
            elif part not in ("", "."):
                try:
                    link = os.readlink(os.path.join(self._root, *done, part))
                except OSError:  # no link, or nothing at all
                    done.append(part)
                    continue
                followed += 1
                if followed > _LINKS_FOLLOWED:
                    raise LayoutError("%s leads through too many links" % path, "see where they go round in circles")
                if link.startswith("/"):
                    del done[:]
                pending.extend(link.split("/")[::-1])
        return os.path.join(self._root, *done)

    def _script(self, name):
        """The file itself, where the script is a link."""
        return self._seen(self._given, "scripts", name)

    def _folder(self, target):
        return self._seen(self._given, target + ".d")

    def _check_directory(self):
        try:
            os.stat(os.path.join(self.directory, "."))
        except (FileNotFoundError, NotADirectoryError):
            raise LayoutError(
                "there is no directory %s" % self.directory, "install ovm-template-config and its scripts first"
            ) from None
        except OSError as problem:
            raise LayoutError(
                "the directory %s cannot be read (%s)" % (self.directory, problem.strerror), _remedy(problem)
            ) from problem

    # --- links --------------------------------------------------------------------------

    def _links(self, target):
        """The links of a target, in order: list of priority, script and the link's own name."""
        folder = self._folder(target)
        found = []
        for link in _listed(folder):
            match = _LINK.match(link)
            if match and is_name(match.group(2)) and os.path.islink(os.path.join(folder, link)):
                found.append((int(match.group(1)), match.group(2), link))
        return sorted(found)

    def _work(self, name, wanted, keep=False, check=False):
        """Change a script's links where they are not as they shall be.

        :param wanted: dict of a target to a priority, or None for no link. Other targets stay as they are.
        :param bool keep: a link that is there keeps its own priority.
        :param bool check: change nothing.
        :returns: whether anything was, or would be, changed.
        """
        if check:
            if not os.path.lexists(self.directory):
                return any(priority is not None for priority in wanted.values())
            return any(self._differs(name, target, priority) for target, priority in wanted.items())
        with self._alone():
            return self._change_links(name, wanted, keep)

    def _change_links(self, name, wanted, keep=False):
        changed = False
        for target, priority in wanted.items():
            if keep:
                priority = next((own for own, script, _link in self._links(target) if script == name), priority)
            if self._differs(name, target, priority):
                self._change(name, target, priority)
                changed = True
        return changed

    def _differs(self, name, target, priority):
        links = [link for _priority, script, link in self._links(target) if script == name]
        if priority is None:
            return bool(links)
        wanted = "%02d%s" % (priority, name)
        return links != [wanted] or not self._leads(target, wanted, name)

    def _leads(self, target, link, name):
        """Whether a link shows the script; absolute ones will do, too."""
        try:
            shown = os.readlink(os.path.join(self._folder(target), link))
        except OSError:
            return False
        return shown in ("../scripts/" + name, os.path.join(self._given, "scripts", name))

    def _change(self, name, target, priority):
        folder = self._folder(target)
        links = [link for _priority, script, link in self._links(target) if script == name]
        with _Translated("the links in %s cannot be changed" % folder):
            if priority is not None:
                links = self._link(folder, "%02d%s" % (priority, name), name, links)
            for link in links:
                _discard(os.path.join(folder, link))

    def _link(self, folder, wanted, name, links):
        """Have one link.

        :param list links: those that the script has in there.
        :returns: those of them that are left over.
        """
        place = os.path.join(folder, wanted)
        if os.path.lexists(place) and not os.path.islink(place):
            raise LayoutError("%s is no link" % place, "move it away")
        os.makedirs(folder, 0o755, exist_ok=True)
        temporary = os.path.join(folder, "." + wanted)
        _discard(temporary)  # of one who was killed
        os.symlink("../scripts/" + name, temporary)
        others = [link for link in links if link != wanted]
        try:
            if others and wanted not in links:
                # Another priority, at once: nobody finds the script twice, or not at all.
                os.rename(temporary, os.path.join(folder, others[0]))
                os.rename(os.path.join(folder, others.pop(0)), place)
            else:
                os.rename(temporary, place)
        except OSError:
            _discard(temporary)
            raise
        return others

    def _alone(self, make=False):
        """A context manager that keeps other writers out."""
        if make:
            for folder in (self.directory, self._seen(self._given, "scripts")):
                with _Translated("the directory %s cannot be made" % folder):
                    os.makedirs(folder, 0o755, exist_ok=True)
        self._check_directory()
        return _Alone(self.directory)


def check_content(name: str, content: bytes) -> Header:
    """See that a script can be installed.

    :returns: its header.
    :raises BadScript: it has no good header, that of another script, or no first line that says what runs it.
    """
    what = "the script '%s'" % check_name(name)
    first = content[:LIMIT].split(b"\n", 1)[0]
    if not first.startswith(b"#!") or not first[2:].strip():
        raise BadScript(
            "%s does not say what runs it" % what, "begin it with a line such as '#!/usr/bin/python3', without a blank"
        )
    if first.endswith(b"\r"):
        raise BadScript("the lines of %s end as in DOS, so that it cannot run" % what, "convert it with dos2unix")
    header = parse_header(content, what)
    _check_same(header, name, what)
    return header


def _check_same(header, name, what):
    if header.name != name:
        raise BadScript(
            "the header of %s has the name '%s'" % (what, header.name),
            "name the script and its file alike, here '%s'" % name,
        )


def _check_priority(name, priority):
    if not 0 <= priority <= 99:
        raise BadScript("%d is no priority of '%s'" % (priority, name), "give a number from 0 to 99")


class _Alone:
    """A lock that a killed process leaves behind no trace of."""

    def __init__(self, directory):
        self._directory, self._file = directory, -1

    def __enter__(self):
        with _Translated("the directory %s cannot be used" % self._directory):
            self._file = os.open(self._directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            try:
                fcntl.flock(self._file, fcntl.LOCK_EX)
            except BaseException:
                os.close(self._file)
                raise
        return self

    def __exit__(self, _kind, _problem, _traceback):
        os.close(self._file)


class _Translated:
    """A context manager that turns the system's errors into ours."""

    def __init__(self, what):
        self._what = what

    def __enter__(self):
        return self

    def __exit__(self, _kind, problem, _traceback):
        if isinstance(problem, OSError):
            raise LayoutError("%s (%s)" % (self._what, problem.strerror), _remedy(problem)) from problem


def _remedy(problem):
    if isinstance(problem, PermissionError):
        return "run this as root"
    if problem.errno == errno.EROFS:
        return "its file system is mounted read-only"
    if problem.errno in (errno.ENOSPC, errno.EDQUOT):
        return "make room in its file system"
    return "see what is there"


def _listed(folder):
    """The names in a folder; none where it does not exist."""
    try:
        return os.listdir(folder)
    except FileNotFoundError:
        return []
    except OSError as problem:
        raise LayoutError(
            "the directory %s cannot be read (%s)" % (folder, problem.strerror), _remedy(problem)
        ) from problem


def _discard(path):
    """Remove a file.

    :returns: whether it was there.
    """
    try:
        os.unlink(path)
    except FileNotFoundError:
        return False
    return True


def _ours(there):
    """Whether a file belongs to whom it should."""
    return os.geteuid() != 0 or (there.st_uid, there.st_gid) == (0, 0)


def _same(path, content):
    """Whether a file is there with exactly this content, and runs."""
    try:
        there = os.lstat(path)
        if not stat.S_ISREG(there.st_mode) or stat.S_IMODE(there.st_mode) != _MODE or there.st_size != len(content):
            return False
        with open(path, "rb") as source:
            return _ours(there) and source.read() == content
    except OSError:
        return False  # whether it can be replaced will show


def _replace_file(path, content):
    temporary = os.path.join(os.path.dirname(path), ".%s.new" % os.path.basename(path))
    _discard(temporary)  # of one who was killed
    file = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o700)
    try:
        with os.fdopen(file, "wb") as target:
            target.write(content)
            target.flush()
            if not _ours(os.fstat(file)):
                os.fchown(file, 0, 0)
            os.fchmod(file, _MODE)
            os.fsync(file)
        os.rename(temporary, path)
    except BaseException:
        _discard(temporary)
        raise
