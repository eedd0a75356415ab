# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The first boot: what firstboot.initial needs, put together. docs/reference/first-boot.md is its manual.

=====================  ========================================  =============================
variable               meaning                                   default
=====================  ========================================  =============================
``OVM_INITIAL_CONFIG`` the file that asks for it                 see firstboot.flag.FLAG_FILE
``OVM_STATE_DIR``      where the list of parameters is           ``/run/ovmd``
``OVM_CONSOLE``        the terminal to ask on                    ``/dev/console``
``OVM_OVF_DEVICES``    where a disc may be; colons between       see firstboot.ovf.DEVICES
``OVM_OVF_PERIOD``     seconds between two looks for one         5
``OVM_POWEROFF``       a command that powers off                 ``systemctl --no-block poweroff``
=====================  ========================================  =============================

And those of ovmd that tell where messages come from.
"""

import os
import shutil
import time

from ovm_template_config_options import PROGRAM

from ansible_collections.ovm.messaging.plugins.module_utils.channel.errors import ChannelError
from ansible_collections.ovm.messaging.plugins.module_utils.channel.layout import EVENT_KEY
from ansible_collections.ovm.messaging.plugins.module_utils.command_line import DONE, say
from ansible_collections.ovm.messaging.plugins.module_utils.firstboot import flag
from ansible_collections.ovm.messaging.plugins.module_utils.firstboot import log as logs
from ansible_collections.ovm.messaging.plugins.module_utils.firstboot.initial import FirstBoot, Note
from ansible_collections.ovm.messaging.plugins.module_utils.firstboot.sources import CONSOLE, Console, Disc
from ansible_collections.ovm.messaging.plugins.module_utils.guest import backend as backends
from ansible_collections.ovm.messaging.plugins.module_utils.guest.parameter_list import FILE, ParameterList
from ansible_collections.ovm.messaging.plugins.module_utils.guest.reporter import (
    CONFIGURATION,
    EVERYTHING,
    GUEST,
    Reporter,
)
from ansible_collections.ovm.messaging.plugins.module_utils.report import PREFIX
from ansible_collections.ovm.messaging.plugins.module_utils.version import VERSION

# Seconds between two tries to reach XenStore, and between two looks where nothing seems to have happened.
_TRY_AGAIN, _LOOK_AGAIN, _DISC_AGAIN = 1.0, 5.0, 5.0
# What powers off: systemd, and what SysV init has.
_POWEROFF = ("systemctl --no-block poweroff", "shutdown -h now")
_PATH = "/usr/sbin:/usr/bin:/sbin:/bin"


def initial_config(session):
    """Configure the guest, if this is its first boot.

    :param session: of ovm_template_config.
    :returns: the exit code.
    :raises Problem: it cannot be known whether it is.
    """
    environ = os.environ
    path = environ.get("OVM_INITIAL_CONFIG") or flag.FLAG_FILE
    directory = environ.get("OVM_STATE_DIR") or backends.DIRECTORY
    note = Note(directory, path)
    settings = flag.read(path)
    if not settings.enabled:
        session.log.write(logs.DEBUG, "no first boot: %s does not ask for one" % path)
        return DONE

    def log(text):
        session.log.write(logs.INFO, text)
        say(PROGRAM, text)

    messages = Messages(environ, directory, log)
    devices = environ.get("OVM_OVF_DEVICES")
    every = {
        flag.MESSAGES: lambda: messages,
        flag.CONSOLE: lambda: Console(environ.get("OVM_CONSOLE") or CONSOLE, log),
        flag.OVF: lambda: Disc(devices.split(":") if devices else None, log, _period(environ)),
    }
    # Those that fork first: they have no use for what the others open.
    order = [name for name in (flag.CONSOLE, flag.OVF, flag.MESSAGES) if name in settings.sources]
    first_boot = FirstBoot(
        settings,
        path,
        session.chain,
        [every[name]() for name in order],
        note,
        log,
        messages.report,
        messages.wipe,
        session.lock(),
        lambda: _power_off(environ.get("OVM_POWEROFF"), log),
    )
    try:
        return first_boot.run()
    finally:
        messages.end()


class Messages:
    """The messages that this guest has received, as a source of parameters; and the way back.

    XenStore may come late, or not at all: then the other sources have to do.

    :param str directory: of the list.
    :param log: called with a text.
    """

    name = flag.MESSAGES

    def __init__(self, environ, directory, log):
        self._environ, self._directory, self._log = environ, directory, log
        self._backend = None
        self._said = None
        self._tried = float("-inf")
        #: Keys of parameters that are marked as secrets.
        self.secrets = []

    @property
    def interval(self):
        """Sooner where there is no channel."""
        return _LOOK_AGAIN if self._backend else _TRY_AGAIN

    def start(self, described):
        """Nothing to do: look() opens the channel."""

    def fileno(self):
        """Another one after XenStore was lost."""
        return self._backend.fileno() if self._backend else -1

    def look(self):
        """All parameters in the list."""
        try:
            backend = self._open()
            if backend is None:
                return None
            # What happens meanwhile may show in no poll any more.
            while True:
                while backend.wait(0):
                    pass
                backend.receive()
                if not backend.wait(0):
                    break
            entries = backend.entries()
        except (ChannelError, ImportError) as problem:
            self._lost(problem)
            return None
        self._said = None
        self.secrets = [_text(entry.key) for entry in entries if entry.secret]
        return {
            _text(entry.key): _text(entry.value)
            for entry in entries
            if entry.key != EVENT_KEY and not entry.key.startswith(PREFIX)
        }

    def give_up(self, reason):
        """Nothing to do: what comes now is for ovmd."""

    def close(self):
        """Nothing to do: reports need the channel, see end()."""

    def report(self, state, **details):
        """Tell the host how the configuration stands. Where that cannot be done, ovmd does it as soon as it can."""
        try:
            backend = self._open(now=True)
            Reporter(backend, backend.state, VERSION, _reports(self._environ)).configuration(state, **details)
        except (ChannelError, ImportError) as problem:
            self._lost(problem)

    def wipe(self, is_secret):
        """Remove secrets from the list, also those that nobody waited for.

        :param is_secret: tells it of a key.
        :raises ChannelError: they are still there.
        """
        try:
            backend = self._open(now=True)
        except (ChannelError, ImportError):
            # Without a channel nothing has come; but it may have been there before.
            if not os.path.exists(os.path.join(self._directory, FILE)):
                return
            with ParameterList(self._directory) as parameters:
                secret = _secrets(parameters.entries(), is_secret)
                with parameters.writing():
                    for key in secret:
                        parameters.delete(key)
            return
        try:
            backend.receive()
        except ChannelError as problem:
            self._lost(problem, close=False)
        backend.delete(_secrets(backend.entries(), is_secret))

    def end(self):
        """Let go of the channel."""
        if self._backend:
            self._backend.close()
            self._backend = None

    def _open(self, now=False):
        """The guest's end of the channel; None where it is too early for another try."""
        if self._backend is None:
            if not now and time.monotonic() < self._tried + _TRY_AGAIN:
                return None
            self._tried = time.monotonic()
            self._backend = backends.open_backend(
                self._environ.get("OVM_BACKEND") or backends.AUTO,
                self._environ.get("XENSTORED_PATH"),
                self._environ.get("OVM_DEVICE") or backends.DEVICE,
                self._directory,
            )
        return self._backend

    def _lost(self, problem, close=True):
        if close:
            self.end()
        said = "there is no way to messages at present: %s" % problem
        if said != self._said:
            self._said = said
            self._log(said)


def _period(environ):
    try:
        return max(0.01, float(environ.get("OVM_OVF_PERIOD") or _DISC_AGAIN))
    except ValueError:
        return _DISC_AGAIN


def _reports(environ):
    """What of its own reports a first boot may send, as ovmd has been told."""
    wanted = environ.get("OVM_REPORTS")
    names = [name.strip() for name in wanted.split(",")] if wanted else EVERYTHING
    return tuple(name for name in (GUEST, CONFIGURATION) if name in names)


def _secrets(entries, is_secret):
    return [entry.key for entry in entries if entry.secret or is_secret(_text(entry.key))]


def _text(raw):
    return raw.decode("utf-8", "surrogateescape")


def _power_off(command, log):
    import subprocess

    for words in [command.split()] if command else [each.split() for each in _POWEROFF]:
        program = shutil.which(words[0], path=os.environ.get("PATH") or _PATH)
        if program:
            done = subprocess.run([program] + words[1:], stdin=subprocess.DEVNULL, check=False)
            if done.returncode:
                log("the machine is not powered off: %s failed with exit code %d" % (words[0], done.returncode))
            return
    log("the machine is not powered off: there is neither systemctl nor shutdown")
