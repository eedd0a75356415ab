# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""ovmd where the kernel has the vendor's driver, as far as the stand-in for /dev/ovmapi goes."""

import pytest

from lab.ovmapi import Device

OK, NO_SUCH_PARAMETER = 0, 1


@pytest.fixture
def device(tmp_path):
    return Device(tmp_path)


@pytest.fixture
def ovmd(make_ovmd, device):
    return make_ovmd(device.environment({"LC_ALL": "C", "OVM_DEVICE": device.path}))


def test_the_kernels_list_is_used_where_there_is_one(ovmd, device):
    assert ovmd("-p", "key1=value1", "-d1") == (
        OK, b"", b"ovmd: using the backend ovmapi\novmd: set 'key1' (6 bytes)\n"
    )  # fmt: skip
    assert device.inject(b"key2", b"\xff" * 8191)
    assert ovmd("--list") == (OK, b'{"key1":"value1"}\n{"key2":"' + b"\\udcff" * 8191 + b'"}\n', b"")
    assert ovmd("-g", "key1", "-r", "key1", "-l")[:2] == (OK, b'value1\n{"key2":"' + b"\\udcff" * 8191 + b'"}\n')
    for option in ("-g", "-r"):
        for key in ("missing", "", "k" * 256):
            code, out, err = ovmd(option, key)
            assert (code, out) == (NO_SUCH_PARAMETER, b"") and err.startswith(b"ovmd: there is no parameter '")
    assert ovmd("--set-secret=s", "-x", "-l", stdin=b"v") == (OK, b"", b"")
