# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The system that a stock script works on.

A script touches the system by a Machine and by nothing else. So each change is made only where
something differs, is known afterwards, and is not made, but told, in check mode.

A script's module has:

* ``DESCRIBED``: for each of its targets the parameter objects, see parameters.describe();
* for each of these targets a function of that name, of a Machine and the parameters: ``{key: value}``.
"""

import errno
import fnmatch
import glob
import json
import os
import pwd
import re
import shutil
import signal
import socket
import stat
import subprocess
import tempfile
from collections import namedtuple

from .. import common

#: The system to work on, where it is not the running one: an image that is mounted, or a test's.
ROOT = "OVM_TEMPLATE_ROOT"

# Seconds for one tool. More than D-Bus and systemd give theirs, less than a script has.
_PATIENCE = 120
_UNITS = ("/etc/systemd/system", "/run/systemd/system", "/usr/lib/systemd/system", "/lib/systemd/system")


class Failed(common.Failed):
    """The script cannot do its part: why, in one line, without any parameter's value."""


class User(namedtuple("User", ("name", "uid", "gid", "comment", "home", "shell"))):
    """A line of /etc/passwd."""

    __slots__ = ()


class Group(namedtuple("Group", ("name", "gid", "members"))):
    """A line of /etc/group."""

    __slots__ = ()


class Machine:
    """The system. All paths are as the system itself sees them.

    :param str root: where it is mounted.
    :param bool check: change nothing, only tell what would be changed. What was "written" is read
        again as if it had been.
    :param tell: a function that gets each change at once, or None.
    :param live: whether it is the system that runs; None: where its root is ours.
    :ivar list changes: what was changed, in order, one line of text each, without secrets.
    """

    def __init__(self, root="/", check=False, tell=None, live=None):
        self.root = os.path.abspath(root)
        self.check = check
        self.live = self.root == "/" if live is None else live
        self.changes = []  # type: list[str]
        self._tell = tell
        self._base = self.root.rstrip("/")
        # Of check mode: path -> bytes of a file, a _Link, a _Folder, or None for what was removed.
        self._pretended = {}  # type: dict
        self._dbus = None  # type: bool | None

    def changed(self, text):
        """Note a change; for what is changed by none of the methods here."""
        self.changes.append(text)
        if self._tell:
            self._tell(text)

    # --- files: reading -----------------------------------------------------------------

    def path(self, name, follow=False):
        """Where a file is for us. No link leads out of the root.

        :param str name: its path in the system.
        :param bool follow: whether to follow it, too, if it is a link; links on the way to it are always followed.
        """
        done, left, links = [], name.split("/")[::-1], 0
        while left:
            part = left.pop()
            if part in ("", "."):
                continue
            if part == "..":
                done[-1:] = []
                continue
            here = "/".join([self._base] + done + [part])
            if (follow or any(left)) and os.path.islink(here):
                links += 1
                if links > 40:
                    raise Failed("too many symbolic links at %s" % name)
                target = os.readlink(here)
                if target.startswith("/"):
                    done = []
                left += target.split("/")[::-1]
            else:
                done.append(part)
        return "/".join([self._base] + done) or "/"

    def read(self, name):
        """A file's text.

        :returns: str, bytes that are not UTF-8 as surrogates; or None where there is no such file.
        """
        data = self.read_bytes(name)
        return None if data is None else data.decode("utf-8", "surrogateescape")

    def read_bytes(self, name):
        """:returns: a file's bytes, or None where there is no such file."""
        path = self.path(name, follow=True)
        pretended = self._pretended_at(path)
        if pretended is not _NOTHING:
            if isinstance(pretended, _Link):
                return self.read_bytes(os.path.join(os.path.dirname(name), pretended.target))
            if isinstance(pretended, _Folder):
                raise Failed("cannot read %s: Is a directory" % name)
            return pretended
        try:
            with open(path, "rb") as file:
                return file.read()
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as problem:
            raise Failed("cannot read %s: %s" % (name, problem.strerror)) from None

    def exists(self, name):
        """:returns: whether there is such a file, directory or link, be it a broken one."""
        path = self.path(name)
        pretended = self._pretended_at(path)
        return os.path.lexists(path) if pretended is _NOTHING else pretended is not None

    def is_directory(self, name):
        """:returns: whether there is such a directory, or a link to one."""
        path = self.path(name, follow=True)
        pretended = self._pretended_at(path)
        return os.path.isdir(path) if pretended is _NOTHING else isinstance(pretended, _Folder)

    def linked(self, name):
        """:returns: where a link leads, as it says itself; None where there is none."""
        path = self.path(name)
        pretended = self._pretended_at(path)
        if pretended is not _NOTHING:
            return pretended.target if isinstance(pretended, _Link) else None
        return os.readlink(path) if os.path.islink(path) else None

    def glob(self, pattern):
        """The files and directories that match a shell's pattern.

        :rtype: list of str, sorted, each as the system sees it.
        """
        found = {path[len(self._base) :] for path in glob.glob(glob.escape(self._base) + pattern)}
        found = {name for name in found if self.exists(name)}
        for path, pretended in self._pretended.items():
            name = path[len(self._base) :]
            if pretended is not None and name.count("/") == pattern.count("/") and fnmatch.fnmatchcase(name, pattern):
                found.add(name)
        return sorted(found)

    # --- files: changing ----------------------------------------------------------------

    def write(self, name, text, mode=None, owner=None, secret=False):
        """Let a file have a content, at once and only where it differs.

        A link is followed, unless an owner is given: people can put links into their own folders.

        :param text: str or bytes.
        :param mode: its permissions; None: those that it has, else 0644, for a secret 0600.
        :param owner: (uid, gid); None: those that it has, else ours.
        :param bool secret: nobody but its owner may read a new file.
        :returns: whether anything was changed.
        """
        data = text if isinstance(text, bytes) else text.encode("utf-8", "surrogateescape")
        path = self.path(name, follow=owner is None)
        old = self._stat(path)
        if old is not None and not stat.S_ISREG(old.st_mode) and not stat.S_ISLNK(old.st_mode):
            raise Failed("%s is no plain file" % name)
        same_data = (old is None or stat.S_ISREG(old.st_mode)) and self.read_bytes(name) == data
        if same_data and (old is None or (_mode_fits(old, mode) and owner in (None, (old.st_uid, old.st_gid)))):
            return False
        if self.check:
            self._pretend(path, data)
        else:
            try:
                self._write(path, data, old, mode, owner, 0o600 if secret else 0o644)
            except OSError as problem:
                raise Failed("cannot write %s: %s" % (name, problem.strerror)) from None
        self.changed("write " + name if not same_data else "set owner and mode of " + name)
        return True

    def directory(self, name, mode=None, owner=None):
        """Have a directory, and those above it.

        :param mode: its permissions; None: those that it has, else 0755.
        :param owner: (uid, gid); None: those that it has, else ours.
        :returns: whether anything was changed.
        """
        path = self.path(name, follow=owner is None)
        old = self._stat(path)
        pretended = self._pretended.get(path)
        if isinstance(pretended, (bytes, _Link)) or (old is not None and not stat.S_ISDIR(old.st_mode)):
            raise Failed("%s is no directory" % name)
        if old is not None and _mode_fits(old, mode) and owner in (None, (old.st_uid, old.st_gid)):
            return False
        if self.check:
            if pretended and mode in (None, pretended.mode) and owner in (None, pretended.owner):
                return False
            present = _Folder(stat.S_IMODE(old.st_mode), (old.st_uid, old.st_gid)) if old else pretended
            self._pretend(path, _Folder(mode or (present or _NEW).mode, owner or (present or _NEW).owner))
            old = old or pretended
        else:
            try:
                if old is None:
                    os.makedirs(os.path.dirname(path), 0o755, exist_ok=True)
                    os.mkdir(path, 0o700)
                if owner is not None:
                    os.chown(path, owner[0], owner[1])
                if old is None or mode is not None:
                    os.chmod(path, 0o755 if mode is None else mode)
            except OSError as problem:
                raise Failed("cannot make %s: %s" % (name, problem.strerror)) from None
            self._label(path)
        self.changed("make " + name if old is None else "set owner and mode of " + name)
        return True

    def link(self, name, target):
        """Let a symbolic link lead somewhere, at once and only where it does not yet.

        :returns: whether anything was changed.
        """
        if self.linked(name) == target:
            return False
        path = self.path(name)
        if self.check:
            self._pretend(path, _Link(target))
        else:
            new = _beside(path)
            try:
                os.makedirs(os.path.dirname(path), 0o755, exist_ok=True)
                _unlink(new)
                os.symlink(target, new)
                os.rename(new, path)
                _sync(os.path.dirname(path))
            except OSError as problem:
                _unlink(new)
                raise Failed("cannot link %s: %s" % (name, problem.strerror)) from None
            self._label(path)
        self.changed("link %s to %s" % (name, target))
        return True

    def remove(self, name):
        """Remove a file, a link, or a directory with all that is in it.

        :returns: whether anything was there.
        """
        if not self.exists(name):
            return False
        path = self.path(name)
        if self.check:
            self._pretended = {p: v for p, v in self._pretended.items() if not p.startswith(path + "/")}
            self._pretended[path] = None
        else:
            try:
                if os.path.isdir(path) and not os.path.islink(path):
                    shutil.rmtree(path)
                else:
                    os.unlink(path)
            except FileNotFoundError:
                pass  # somebody else did
            except OSError as problem:
                raise Failed("cannot remove %s: %s" % (name, problem.strerror)) from None
        self.changed("remove " + name)
        return True

    def size(self, name):
        """:returns: the size of a plain file; None where there is none, or something else, be it a link."""
        found = self._stat(self.path(name))
        return found.st_size if found is not None and stat.S_ISREG(found.st_mode) else None

    def truncate(self, name, tell=True):
        """Empty a file that others may have open; it stays the same file.

        :param bool tell: whether this counts as a change.
        :returns: whether there was anything in it.
        """
        path = self.path(name, follow=True)
        found = self._stat(path)
        if found is None or not found.st_size:
            return False
        if self.check:
            self._pretended[path] = b""
        else:
            try:
                os.truncate(path, 0)
            except OSError as problem:
                raise Failed("cannot empty %s: %s" % (name, problem.strerror)) from None
        if tell:
            self.changed("empty " + name)
        return True

    # --- tools --------------------------------------------------------------------------

    @staticmethod
    def has(tool):
        """:returns: whether there is such a command."""
        return shutil.which(tool) is not None

    def rooted(self, tool):
        """A tool that knows ``--root``, such as useradd or systemctl, told to work on this system.

        :rtype: list of str
        """
        return [tool] if self.root == "/" else [tool, "--root", self.root]

    def output(self, command, input=None, ok=(0,)):
        """What a command prints that only reads.

        :param command: the words of its command line; never a secret.
        :param input: str for its standard input.
        :param ok: the exit codes that are no failure; None: all.
        :raises Failed: it is not there, or failed.
        """
        return self._execute(command, input, ok)

    def run(self, description, command, input=None, ok=(0,)):
        """Run a command that changes something; not in check mode.

        :param str description: of the change; never a secret.
        :returns: what it printed; in check mode nothing.
        :raises Failed: it is not there, or failed.
        """
        printed = "" if self.check else self._execute(command, input, ok)
        self.changed(description)
        return printed

    def attempt(self, description, command, input=None):
        """The same, where there is another way if it fails.

        :returns: whether it did not fail.
        """
        try:
            self.run(description, command, input)
        except Failed as problem:
            if self._tell:
                self._tell("will try otherwise: %s" % problem)
            return False
        return True

    # --- what kind of system ------------------------------------------------------------

    @property
    def family(self):
        """:returns: ``redhat``, ``debian`` or ``other``."""
        words = []
        for line in (self.read("/etc/os-release") or self.read("/usr/lib/os-release") or "").splitlines():
            name, found, value = line.partition("=")
            if found and name in ("ID", "ID_LIKE"):
                words += value.strip().strip("\"'").lower().split()
        for family, names in (("redhat", ("rhel", "ol", "fedora", "centos")), ("debian", ("debian", "ubuntu"))):
            if any(word in names for word in words):
                return family
        return "other"

    @property
    def booted(self):
        """:returns: whether it is the running system, and systemd runs it."""
        return self.live and os.path.isdir(self.path("/run/systemd/system"))

    @property
    def selinux_on(self):
        """:returns: whether it is the running system, and SELinux is on, be it permissive."""
        return self.live and os.path.exists(self.path("/sys/fs/selinux/enforce"))

    @property
    def dbus_works(self):
        """:returns: whether the system's message bus answers, and so tools like timedatectl work."""
        if self._dbus is None:
            self._dbus = self.booted and _bus_answers(self.path("/run/dbus/system_bus_socket", follow=True))
        return self._dbus

    # --- services -----------------------------------------------------------------------

    def service_installed(self, name):
        """:returns: whether systemd has such a unit (``chronyd.service``; without a suffix it is a service's)."""
        return any(self.exists("%s/%s" % (folder, _unit(name))) for folder in _UNITS)

    def service_enabled(self, name):
        """:returns: whether systemd starts it at boot."""
        command = self.rooted("systemctl") + ["is-enabled", _unit(name)]
        return self.output(command, ok=None).strip() in ("enabled", "enabled-runtime", "alias")

    def service_active(self, name):
        """:returns: whether it runs; False where no systemd does."""
        return self.booted and self.output(["systemctl", "is-active", _unit(name)], ok=None).strip() == "active"

    def enable(self, name):
        """Let a service start at boot, and now if the system runs.

        :returns: whether anything was changed.
        """
        enabled, active = self.service_enabled(name), self.service_active(name)
        if not enabled:
            self.run("enable " + name, self.rooted("systemctl") + ["enable", _unit(name)])
        # One that does not suit this machine, such as an NTP client in a container, is not started again and again.
        start = self.booted and not active and not self._unfit(name)
        if start:
            self._job("start", name)
        return not enabled or start

    def disable(self, name):
        """Let a service not start at boot, and end it now if it runs.

        :returns: whether anything was changed.
        """
        enabled, active = self.service_enabled(name), self.service_active(name)
        if enabled:
            self.run("disable " + name, self.rooted("systemctl") + ["disable", _unit(name)])
        if active:
            self._job("stop", name)
        return enabled or active

    def stop(self, name):
        """End a service that runs; at the next boot it starts again.

        :returns: whether it ran.
        """
        return self.restart(name, "stop")

    def restart(self, name, job="restart"):
        """Restart a service (or ``reload`` it) that runs; one that does not run stays as it is.

        :returns: whether it ran.
        """
        active = self.service_active(name)
        if active:
            self._job(job, name)
        return active

    # --- accounts -----------------------------------------------------------------------

    def users(self):
        """The local users: ``{name: User}``."""
        found = {}
        for line in (self.read("/etc/passwd") or "").splitlines():
            fields = line.split(":")
            if len(fields) == 7 and fields[2].isdigit() and fields[3].isdigit():
                found[fields[0]] = User(fields[0], int(fields[2]), int(fields[3]), *fields[4:])
        return found

    def groups(self):
        """The local groups: ``{name: Group}``."""
        found = {}
        for line in (self.read("/etc/group") or "").splitlines():
            fields = line.split(":")
            if len(fields) == 4 and fields[2].isdigit():
                found[fields[0]] = Group(fields[0], int(fields[2]), [m for m in fields[3].split(",") if m])
        return found

    def user(self, name):
        """:returns: a User, of a directory service, too, if this is the running system; None: there is none."""
        found = self.users().get(name)
        if found is None and self.root == "/":
            try:
                entry = pwd.getpwnam(name)
            except KeyError:
                return None
            found = User(entry.pw_name, entry.pw_uid, entry.pw_gid, entry.pw_gecos, entry.pw_dir, entry.pw_shell)
        return found

    # --- inside -------------------------------------------------------------------------

    def _stat(self, path):
        """:returns: of what is really there and was not removed in check mode; None: nothing is."""
        if self._pretended_at(path) is not _NOTHING:
            return None
        try:
            return os.lstat(path)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as problem:
            raise Failed("cannot look at %s: %s" % (path[len(self._base) :], problem.strerror)) from None

    def _pretended_at(self, path):
        if not self._pretended:
            return _NOTHING
        if path in self._pretended:
            return self._pretended[path]
        above = os.path.dirname(path)
        while len(above) > 1:
            if self._pretended.get(above, _NOTHING) is None:
                return None
            above = os.path.dirname(above)
        return _NOTHING

    def _pretend(self, path, what):
        """Have something in check mode, and the directories above it."""
        self._pretended[path] = what
        above = os.path.dirname(path)
        known = self._pretended_at(above)
        while known is None or (known is _NOTHING and not os.path.lexists(above)):
            if known is None and os.path.isdir(above):  # was removed with all that is in it
                for name in os.listdir(above):
                    self._pretended.setdefault(os.path.join(above, name), None)
            self._pretended[above] = _NEW
            above = os.path.dirname(above)
            known = self._pretended_at(above)

    def _write(self, path, data, old, mode, owner, new_mode):
        os.makedirs(os.path.dirname(path), 0o755, exist_ok=True)
        if old is not None and not stat.S_ISREG(old.st_mode):
            old = None  # a link in its place, which is no reason to have its permissions
        if mode is None:
            mode = new_mode if old is None else stat.S_IMODE(old.st_mode)
        if owner is None and old is not None:
            owner = old.st_uid, old.st_gid
        new = _beside(path)
        _unlink(new)
        try:
            descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
            with os.fdopen(descriptor, "wb") as file:
                file.write(data)
                file.flush()
                if owner is not None and owner != _NEW.owner:
                    os.fchown(descriptor, owner[0], owner[1])
                os.fchmod(descriptor, mode)
                if old is not None:
                    _copy_attributes(path, descriptor)
                os.fsync(descriptor)
            try:
                os.rename(new, path)
            except OSError as problem:
                if problem.errno != errno.EBUSY:
                    raise
                # A container's own: the file is a mount, and cannot be replaced.
                with open(path, "wb") as file:
                    file.write(data)
                    file.flush()
                    os.fsync(file.fileno())
                os.unlink(new)
        except OSError:
            _unlink(new)
            raise
        _sync(os.path.dirname(path))
        if old is None:
            self._label(path)

    def _label(self, path):
        """Give a new file the SELinux context of its place."""
        if self.selinux_on and self.has("restorecon"):
            self._execute(["restorecon", path], None, None)

    def _unfit(self, name):
        """Whether systemd has tried to start a unit, and found that its conditions are not met."""
        shown = self.output(
            ["systemctl", "show", "--property=ConditionResult,ConditionTimestamp", _unit(name)], ok=None
        )
        return "ConditionResult=no" in shown and re.search("ConditionTimestamp=.", shown) is not None

    def _job(self, verb, name):
        """Start, stop, restart."""
        options = []
        # During boot a service may have to wait for what waits for us.
        if self.output(["systemctl", "is-system-running"], ok=None).strip() in ("initializing", "starting"):
            options = ["--no-block"]
        self.run("%s %s" % (verb, name), ["systemctl"] + options + [verb, _unit(name)])

    @staticmethod
    def _execute(command, input, ok):
        environment = dict(os.environ, LC_ALL="C")
        data = None if input is None else input.encode("utf-8", "surrogateescape")
        stdin = dict(stdin=subprocess.DEVNULL) if data is None else dict(input=data)
        try:
            # Not pipes: whatever a tool leaves running in the background would hold them open.
            with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
                code = subprocess.run(
                    command, stdout=out, stderr=err, env=environment, timeout=_PATIENCE, check=False, **stdin
                ).returncode
                out.seek(0)
                err.seek(0)
                printed, complaint = out.read(), err.read()
        except subprocess.TimeoutExpired:
            raise Failed("%s did not end within %d seconds" % (command[0], _PATIENCE)) from None
        except OSError as problem:
            raise Failed("cannot run %s: %s" % (command[0], problem.strerror)) from None
        if ok is not None and code not in ok:
            raise Failed(_failure(command[0], code, complaint.decode("utf-8", "replace"), input))
        return printed.decode("utf-8", "surrogateescape")


# --- text of settings files -------------------------------------------------------------


def with_setting(content, name, value, between="="):
    """The text of a file of settings, one a line, with one of them set: in its place, or at the end.

    :param content: the text, or None where there is no such file.
    :param value: None removes it.
    :param str between: what stands between name and value.
    """
    lines = (content or "").splitlines(True)
    pattern = re.compile(r"\s*%s\s*%s" % (re.escape(name), re.escape(between.strip()) if between.strip() else r"\s"))
    line = [] if value is None else ["%s%s%s\n" % (name, between, value)]
    found = [number for number, old in enumerate(lines) if pattern.match(old)]
    if not found:
        if lines and line and not lines[-1].endswith("\n"):
            lines[-1] += "\n"
        return "".join(lines + line)
    # Where it stands more than once, the last one counts for most programs, the first for some.
    kept = [old for number, old in enumerate(lines) if number not in found]
    return "".join(kept[: found[0]] + line + kept[found[0] :])


# --- the script -------------------------------------------------------------------------


def script(module):
    """What ``templateconfig.cli.main`` wants, out of a module of stock: ``main(*script(module), check=True)``.

    :returns: (enumerate function, ``{target: function}``)
    """

    def enumerate_parameters(target):
        return json.dumps(module.DESCRIBED.get(target, []))

    return enumerate_parameters, {target: _target(getattr(module, target)) for target in module.DESCRIBED}


def _target(function):
    def target(parameters):
        machine = Machine(os.environ.get(ROOT) or "/", check=common.checking(), tell=_print)
        try:
            function(machine, json.loads(parameters))
        finally:
            common.changed(bool(machine.changes))
        return parameters

    return target


def _print(line):
    print(line, flush=True)


# --- details ----------------------------------------------------------------------------


class _Link(namedtuple("_Link", ("target",))):
    __slots__ = ()


class _Folder(namedtuple("_Folder", ("mode", "owner"))):
    __slots__ = ()


_NEW = _Folder(0o755, (os.geteuid(), os.getegid()))

#: Nothing was pretended.
_NOTHING = object()


def _mode_fits(old, mode):
    return mode is None or stat.S_IMODE(old.st_mode) == mode


def _beside(path):
    # Hidden and with an end of its own, so that no folder of settings takes it for one of its files. Always the same
    # name, so that what a power cut leaves is used again; there is one run at a time.
    return os.path.join(os.path.dirname(path), ".%s.ovm-new" % os.path.basename(path))


def _unlink(path):
    try:
        os.unlink(path)
    except OSError:
        pass


def _sync(folder):
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _copy_attributes(path, descriptor):
    """What is not in a mode: access lists, SELinux contexts."""
    try:
        for name in os.listxattr(path):
            os.setxattr(descriptor, name, os.getxattr(path, name))
    except OSError:
        pass  # not every file system has them, and not everybody may set them


def _unit(name):
    return name if "." in name else name + ".service"


def _bus_answers(path):
    """Whether somebody greets at a message bus's socket. That a connection is accepted says nothing: systemd does."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as bus:
        bus.settimeout(10)
        try:
            bus.connect(path)
            bus.sendall(b"\0AUTH EXTERNAL " + str(os.geteuid()).encode().hex().encode() + b"\r\n")
            return bus.recv(3).startswith(b"OK")
        except OSError:
            return False


def _failure(tool, code, complaint, input):
    """A tool's failure in one line that has nothing of its input."""
    if code < 0:
        try:
            how = "was killed by " + signal.Signals(-code).name
        except ValueError:
            how = "was killed by signal %d" % -code
    else:
        how = "failed with exit code %d" % code
    said = (complaint.strip().splitlines() or [""])[0]
    if input and any(word in said for word in re.split(r"[\s:]+", input) if word):
        said = "what it says has a part of its input"
    return "%s %s%s" % (tool, how, ": " + said if said else "")
