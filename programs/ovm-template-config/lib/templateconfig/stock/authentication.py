# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""root's password; and, where a template is sealed, root without one."""

from . import passwords
from .machine import Failed
from .parameters import PREFIX, boolean, describe

_PASSWORD, _LOCK = "root-password", "root-lock"
DESCRIBED = {
    "configure": [describe(_PASSWORD, "System root password.", required=True, password=True)],
    # It was erased after its use; without a new one the old one stays.
    "reconfigure": [describe(_PASSWORD, "System root password.", hidden=True, password=True)],
    "cleanup": [
        describe(
            _LOCK,
            "Whether to lock root until a password is set: True or False.",
            hidden=True,
            choices=["True", "False"],
        )
    ],
}
_LOCKED = "!"


def configure(machine, parameters):
    """Set root's password, and so unlock root."""
    value = parameters.get(PREFIX + _PASSWORD)
    if not value:
        return
    passwords.check(value, PREFIX + _PASSWORD)
    if passwords.differs(machine, "root", value):
        passwords.set_password(machine, "root", value)


reconfigure = configure


def cleanup(machine, parameters):
    """Lock root, and have no hash left that could be guessed from."""
    if not boolean(parameters, _LOCK):
        return
    present = passwords.hash_of(machine, "root")
    if present is None:
        raise Failed("there is no root in /etc/shadow: shadow passwords are needed to lock it")
    if present not in (_LOCKED, "!!", "*", "!*"):
        machine.run("lock root", machine.rooted("usermod") + ["--password", _LOCKED, "root"])
