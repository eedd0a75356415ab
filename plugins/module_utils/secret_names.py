# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: BSD-2-Clause
"""Which parameters are secrets by their very name."""

# Of the keys that the vendor's first-boot scripts know: root-password, user.password.N,
# ssh.host-key and its kin, ssh.private-key. And what people name their own.
_SECRET = (b"password", b"passwd", b"passphrase", b"secret", b"private-key", b"token")
_HOST_KEYS = (b"ssh.host-key", b"ssh.host-rsa-key", b"ssh.host-dsa-key")
_PUBLIC = (b"-pub", b"-type")
# What a guest reports about a secret tells nothing of it. See report.PREFIX, which imports this.
_REPORT = b"ovmd.report."


def secret_by_name(key: bytes) -> bool:
    """Whether the value of a key is a secret whoever set it.

    :param bytes key: the parameter's key.
    :rtype: bool
    """
    key = key.lower()
    if key.endswith(_PUBLIC) or key.startswith(_REPORT):
        return False
    return any(word in key for word in _SECRET) or key.endswith(_HOST_KEYS)
