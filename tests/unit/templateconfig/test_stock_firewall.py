# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The stock script firewall. systemctl, ufw and others are stand-ins, see tools.py and network_tools.py."""

import pathlib
import sys

import pytest

from templateconfig.stock import firewall as script
from templateconfig.stock.machine import Failed
from templateconfig.stock.parameters import PREFIX

TOOLS = pathlib.Path(__file__).parent / "network_tools.py"
ON, OFF = {"network.firewall": "True"}, {"network.firewall": "no"}
UFW = "ENABLED=no\nLOGLEVEL=low\n"


@pytest.fixture
def running(system):
    system.boot()
    tools(system, "firewall-cmd", "ufw", "netfilter-persistent")
    return system


def tools(system, *names):
    for name in names:
        (system.bin / name).write_text(f"#!{sys.executable} -IS\n" + TOOLS.read_text())
        (system.bin / name).chmod(0o755)


def test_nothing_is_asked_for(running):
    running.service("firewalld")
    assert running.run(script.configure, live=True) == []
    assert running.run(script.configure, {"network.firewall": ""}, live=True) == []


@pytest.mark.parametrize("name", ["firewalld", "nftables", "iptables", "netfilter-persistent"])
def test_on_and_off(running, name):
    running.service(name)
    assert running.run(script.configure, ON, live=True) == [f"enable {name}", f"start {name}"]
    flush = [f"flush the rules of {name}"] * (name == "netfilter-persistent")
    assert running.run(script.reconfigure, OFF, live=True) == [f"disable {name}", f"stop {name}"] + flush
    assert (["netfilter-persistent", "flush"] in running.calls) is bool(flush)


def test_both_services_of_iptables(running):
    running.service("iptables")
    running.service("ip6tables")
    assert running.run(script.configure, ON, live=True) == [
        "enable iptables", "start iptables", "enable ip6tables", "start ip6tables",
    ]  # fmt: skip


def test_debian_s_iptables_is_another_name(running):
    running.service("netfilter-persistent", enabled=True, active=True)
    link = running.root / "etc/systemd/system/iptables.service"
    link.parent.mkdir(parents=True)
    link.symlink_to("/usr/lib/systemd/system/netfilter-persistent.service")
    running.run(script.configure, OFF, live=True)
    assert [call[-1] for call in running.calls if call[0] == "systemctl"] == ["netfilter-persistent.service"] * 2


def test_the_first_that_is_installed_is_taken(running):
    for name in "nftables", "firewalld", "iptables":
        running.service(name)
    assert running.run(script.configure, ON, live=True) == ["enable firewalld", "start firewalld"]


def test_the_one_that_is_on_stays(running):
    running.service("firewalld")
    running.service("nftables", enabled=True, active=True)
    assert running.run(script.configure, ON, live=True) == []


def test_off_is_all_off(running):
    running.service("firewalld", enabled=True, active=True)
    running.service("nftables", active=True)
    assert running.run(script.configure, OFF, live=True) == ["disable firewalld", "stop firewalld", "stop nftables"]


def test_none_is_installed(running):
    assert running.run(script.configure, OFF, live=True) == []
    assert "install firewalld" in running.refused(script.configure, ON, True)


def test_neither_on_nor_off(running):
    assert "use one of True, False" in running.refused(script.configure, {"network.firewall": "open"}, True)


def test_an_image(system):
    system.tools("systemctl")
    system.service("nftables")
    assert system.run(script.configure, ON) == ["enable nftables"]


def configure(system):
    script.configure(system.machine(live=True), {PREFIX + key: value for key, value in ON.items()})


def test_one_that_says_it_started_and_does_not_work(running):
    running.service("firewalld")
    running.fail("firewall-cmd", "not running", 252)
    with pytest.raises(Failed, match="firewall-cmd failed with exit code 252"):
        configure(running)


def test_one_that_ends_after_its_start(running):
    running.service("nftables")
    running.write({"run/fake/unfit/nftables.service": ""})
    with pytest.raises(Failed, match="nftables has ended after its start"):
        configure(running)


def test_during_boot_it_may_still_wait(running):
    running.service("nftables")
    running.write({"run/fake/unfit/nftables.service": "", "run/fake/starting": ""})
    configure(running)
    assert ["systemctl", "--root", str(running.root), "enable", "nftables.service"] in running.calls


# --- ufw --------------------------------------------------------------------------------


@pytest.fixture
def ufw(running):
    # Its service is on all the time.
    running.service("ufw", enabled=True, active=True)
    running.write({"etc/ufw/ufw.conf": UFW})
    return running


def test_ufw_lets_ssh_in(ufw):
    assert ufw.run(script.configure, ON, live=True) == ["let ssh through ufw", "switch ufw on"]
    assert [call for call in ufw.calls if call[0] == "ufw"] == [
        ["ufw", "allow", "22/tcp"],
        ["ufw", "--force", "enable"],
    ]
    assert ufw.run(script.configure, OFF, live=True) == ["switch ufw off", "disable ufw", "stop ufw"]


def test_ufw_with_rules_keeps_them(ufw):
    ufw.write({"etc/ufw/user.rules": "### tuple ### allow tcp 2222 0.0.0.0/0 any 0.0.0.0/0 in\n"})
    assert ufw.run(script.configure, ON, live=True) == ["switch ufw on"]


def test_ufw_that_only_seems_on(ufw):
    ufw.service("nftables", enabled=True, active=True)
    assert ufw.run(script.configure, ON, live=True) == []


def test_ufw_of_an_image(system):
    system.tools("systemctl")
    tools(system, "ufw")
    system.service("ufw", enabled=True)
    system.write({"etc/ufw/ufw.conf": UFW, "etc/ufw/user.rules": "### tuple ###"})
    assert system.run(script.configure, ON) == ["write /etc/ufw/ufw.conf"]
    assert system.read("etc/ufw/ufw.conf") == "ENABLED=yes\nLOGLEVEL=low\n"
    assert system.run(script.configure, OFF) == ["write /etc/ufw/ufw.conf", "disable ufw"]
    assert system.read("etc/ufw/ufw.conf") == UFW


def test_ufw_without_settings(ufw):
    (ufw.root / "etc/ufw/ufw.conf").write_text("LOGLEVEL=low\n")
    assert ufw.run(script.configure, OFF, live=True) == ["disable ufw", "stop ufw"]
