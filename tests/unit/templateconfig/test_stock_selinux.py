# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The stock script selinux. There is no SELinux here: its files are a test's, and so is setenforce."""

import pytest

from templateconfig.stock import selinux

CONFIG = "# SELINUX= can take one of these\nSELINUX=enforcing\n# SELINUXTYPE= too\nSELINUXTYPE=targeted\n"


def install(system, mode="enforcing", policy="targeted"):
    system.write({"etc/selinux/config": CONFIG.replace("=enforcing", "=" + mode)})
    system.write({f"etc/selinux/{policy}/policy/policy.33": "policy"})


def running(system, enforcing):
    system.tools("setenforce")
    system.write({"sys/fs/selinux/enforce": str(int(enforcing)), "proc/cmdline": "ro quiet\n"})


def test_nothing_is_asked_for(system):
    assert system.run(selinux.configure) == []


@pytest.mark.parametrize("mode", ["permissive", "disabled"])
def test_the_next_boot_s_mode(system, mode):
    install(system)
    assert system.run(selinux.configure, {"selinux": mode.upper()}) == ["write /etc/selinux/config"]
    assert system.read("etc/selinux/config") == CONFIG.replace("=enforcing", "=" + mode)


def test_as_it_is(system):
    install(system)
    assert system.run(selinux.configure, {"selinux": "enforcing"}) == []


@pytest.mark.parametrize(
    "mode, was, said",
    [("permissive", True, "permissive"), ("disabled", True, "permissive"), ("enforcing", False, "enforcing")],
)
def test_the_running_system(system, mode, was, said):
    install(system, "enforcing" if was else "permissive")
    running(system, was)
    assert system.run(selinux.configure, {"selinux": mode}, live=True) == [
        "write /etc/selinux/config",
        "set the running SELinux to " + said,
    ]
    assert system.read("sys/fs/selinux/enforce") == str(int(not was))


def test_a_system_without_labels_gets_them_at_the_next_boot(system):
    install(system, "disabled")
    assert system.run(selinux.configure, {"selinux": "enforcing"}) == [
        "write /.autorelabel",
        "write /etc/selinux/config",
    ]


def test_a_running_system_without_labels(system):
    # switched off since its last boot, and on again: what was made in between has none
    install(system)
    system.write({"proc/cmdline": "ro\n"})
    assert system.run(selinux.configure, {"selinux": "enforcing"}, live=True) == ["write /.autorelabel"]


def test_without_selinux_it_is_disabled(system):
    assert system.run(selinux.configure, {"selinux": "disabled"}) == []
    said = system.refused(selinux.configure, {"selinux": "permissive"})
    assert said == "com.oracle.linux.selinux is 'permissive', but there is no SELinux here: no /etc/selinux/config"


def test_without_a_policy_the_system_would_not_boot(system):
    install(system, "disabled", policy="mls")
    said = system.refused(selinux.configure, {"selinux": "enforcing"})
    assert "the policy 'targeted' is not installed: the system would not boot" in said


@pytest.mark.parametrize("option, mode", [("selinux=0", "permissive"), ("enforcing=1", "permissive")])
def test_the_kernel_is_booted_otherwise(system, option, mode):
    install(system, "disabled")
    system.write({"proc/cmdline": f"ro {option} quiet\n"})
    assert f"booted with {option}" in system.refused(selinux.configure, {"selinux": mode}, live=True)


def test_another_mode(system):
    install(system)
    assert "use one of enforcing, permissive, disabled" in system.refused(selinux.configure, {"selinux": "off"})


def test_setenforce_fails(system):
    install(system)
    running(system, True)
    system.fail("setenforce", "setenforce() failed")
    with pytest.raises(selinux.Failed, match="setenforce failed with exit code 1"):
        selinux.configure(system.machine(live=True), {"com.oracle.linux.selinux": "permissive"})
