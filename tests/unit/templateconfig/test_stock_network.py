# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The stock script network, on systems of every kind that it knows.

Real are the files; the services' tools are stand-ins, see network_tools.py. How the services themselves take the
files is tried by tests/toolchain/stock_network.py.
"""

import pathlib
import sys

import pytest

from templateconfig.stock import machine as stock_machine
from templateconfig.stock import network as script
from templateconfig.stock.machine import Failed
from templateconfig.stock.parameters import PREFIX

TOOLS = pathlib.Path(__file__).parent / "network_tools.py"
MARK = "# Written by ovm-template-config; it writes it anew.\n"
MAC = "00:16:3e:00:00:00"
HOSTS = "127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n"
DEBIAN = 'ID=debian\nVERSION_ID="12"\n'
#: All that an interface can have.
FULL = {
    "network.device.0": "eth0",
    "network.hwaddr.0": MAC,
    "network.mtu.0": "1400",
    "network.bootproto.0": "static",
    "network.ipaddr.0": "192.0.2.5, 192.0.2.6, 2001:db8::5/64, 2001:db8::6/64",
    "network.netmask.0": "255.255.255.0",
    "network.gateway.0": "192.0.2.1, fe80::1",
    "network.dns-servers.0": "192.0.2.53,2001:db8::53",
    "network.dns-search-domains.0": "example.com,a.test",
}
FIXED = {"network.device.0": "eth0", "network.ipaddr.0": "192.0.2.5/24", "network.gateway.0": "192.0.2.1"}
SIX = {"network.device.0": "eth0", "network.ipaddr.0": "2001:db8::5/64", "network.dns-search-domains.0": "a.test"}
DYNAMIC = {"network.device.0": "eth0", "network.bootproto.0": "dhcp"}
NOTHING = {"network.device.0": "eth0", "network.bootproto.0": "none"}
MANUAL = {"network.device.0": "eth0", "network.onboot.0": "no"}


def tools(system, *names):
    for name in names:
        (system.bin / name).write_text(f"#!{sys.executable} -IS\n" + TOOLS.read_text())
        (system.bin / name).chmod(0o755)


def enabled(system, *services):
    """Have services that start at boot."""
    for service in services:
        system.service(service, enabled=True)
        link = system.root / f"etc/systemd/system/multi-user.target.wants/{service}.service"
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(f"/usr/lib/systemd/system/{service}.service")


def active(system, *services):
    system.boot()
    for service in services:
        system.write({f"run/fake/active/{service}.service": ""})


def interfaces(system):
    system.write(
        {
            "sys/class/net/eth0/address": MAC + "\n",
            "sys/class/net/eth1/address": "00:16:3e:00:00:01\n",
            "sys/class/net/lo/address": "00:00:00:00:00:00\n",
        }
    )


@pytest.fixture
def live(system):
    """A system that runs, or is about to: it has interfaces."""
    interfaces(system)
    system.write({"proc/sys/kernel/hostname": "template\n", "etc/hosts": HOSTS, "etc/hostname": "template\n"})
    return system


@pytest.fixture
def manager(live):
    """NetworkManager with its own profiles."""
    enabled(live, "NetworkManager")
    tools(live, "nmcli")
    return live


@pytest.fixture
def ifcfg(live):
    """NetworkManager of a release 8."""
    live.write({"etc/os-release": 'ID="ol"\nID_LIKE="fedora"\nVERSION_ID="8.10"\n'})
    live.write({"etc/sysconfig/network-scripts/ifcfg-lo": "DEVICE=lo\nIPADDR=127.0.0.1\n"})
    enabled(live, "NetworkManager")
    tools(live, "nmcli")
    return live


@pytest.fixture
def classic(live):
    """The service 'network' of a release 7."""
    live.write({"etc/os-release": 'ID="ol"\nID_LIKE="fedora"\nVERSION_ID="7.9"\n'})
    live.write(
        {"etc/sysconfig/network-scripts/ifup-eth": "", "etc/rc.d/rc3.d/S10network": "", "etc/init.d/network": ""}
    )
    tools(live, "ifup", "ifdown")
    return live


@pytest.fixture
def ifupdown(live):
    live.write({"etc/os-release": DEBIAN, "usr/sbin/ifquery": "", "etc/resolv.conf": "nameserver 198.51.100.1\n"})
    live.write({"etc/network/interfaces": "source /etc/network/interfaces.d/*\n\nauto lo\niface lo inet loopback\n"})
    enabled(live, "networking")
    tools(live, "ifup", "ifdown")
    return live


@pytest.fixture
def networkd(live):
    live.write({"etc/os-release": DEBIAN, "usr/lib/systemd/libsystemd-shared-252.so": ""})
    live.write({"etc/resolv.conf": "nameserver 198.51.100.1\n"})
    enabled(live, "systemd-networkd")
    tools(live, "networkctl")
    return live


@pytest.fixture
def netplan(live):
    live.write({"etc/os-release": DEBIAN, "usr/sbin/netplan": "", "etc/netplan/50-installer.yaml": INSTALLED})
    live.write({"usr/lib/systemd/libsystemd-shared-252.so": "", "etc/resolv.conf": "nameserver 198.51.100.1\n"})
    live.service("systemd-networkd")
    tools(live, "netplan", "networkctl")
    return live


INSTALLED = """\
network:
  version: 2
  ethernets:
    eth1:
      dhcp4: true
"""


# --- what is written --------------------------------------------------------------------

KEYFILE = """\
[connection]
id=ovm-eth0
uuid=%s
type=ethernet
interface-name=eth0
autoconnect=%s
autoconnect-priority=999

[ethernet]
"""
PROFILE = "etc/NetworkManager/system-connections/ovm-eth0.nmconnection"


@pytest.mark.parametrize(
    "given, boot, rest",
    [
        (
            FULL,
            "true",
            (
                "mac-address=00:16:3E:00:00:00\nmtu=1400\n\n"
                "[ipv4]\nmethod=manual\naddress1=192.0.2.5/24,192.0.2.1\naddress2=192.0.2.6/24\ndns=192.0.2.53;\n"
                "dns-search=example.com;a.test;\n\n"
                "[ipv6]\nmethod=manual\naddress1=2001:db8::5/64,fe80::1\naddress2=2001:db8::6/64\ndns=2001:db8::53;\n"
            ),
        ),
        (
            FIXED,
            "true",
            "\n[ipv4]\nmethod=manual\naddress1=192.0.2.5/24,192.0.2.1\n\n[ipv6]\nmethod=auto\n",
        ),
        (
            SIX,
            "true",
            "\n[ipv4]\nmethod=disabled\n\n[ipv6]\nmethod=manual\naddress1=2001:db8::5/64\ndns-search=a.test;\n",
        ),
        (DYNAMIC, "true", "\n[ipv4]\nmethod=auto\n\n[ipv6]\nmethod=auto\n"),
        (NOTHING, "true", "\n[ipv4]\nmethod=disabled\n\n[ipv6]\nmethod=ignore\n"),
        (MANUAL, "false", "\n[ipv4]\nmethod=auto\n\n[ipv6]\nmethod=auto\n"),
    ],
)
def test_networkmanager(manager, given, boot, rest):
    assert manager.run(script.configure, given, live=True) == ["write /" + PROFILE]
    text = manager.read(PROFILE)
    uuid = text.partition("uuid=")[2].partition("\n")[0]
    assert text == MARK + KEYFILE % (uuid, boot) + rest
    # else NetworkManager does not take it
    assert (manager.root / PROFILE).stat().st_mode & 0o777 == 0o600
    assert manager.calls == []


IFCFG = "DEVICE=eth0\nNAME=ovm-eth0\nTYPE=Ethernet\nONBOOT=%s\nBOOTPROTO=%s\n"


@pytest.mark.parametrize("kind", ["ifcfg", "classic"])
@pytest.mark.parametrize(
    "given, head, rest",
    [
        (
            FULL,
            ("yes", "none"),
            (
                "HWADDR=00:16:3E:00:00:00\nMTU=1400\nIPADDR=192.0.2.5\nPREFIX=24\nIPADDR1=192.0.2.6\nPREFIX1=24\n"
                "GATEWAY=192.0.2.1\nIPV6INIT=yes\nIPV6_AUTOCONF=no\nIPV6ADDR=2001:db8::5/64\n"
                'IPV6ADDR_SECONDARIES="2001:db8::6/64"\nIPV6_DEFAULTGW=fe80::1%eth0\n'
                'DNS1=192.0.2.53\nDNS2=2001:db8::53\nDOMAIN="example.com a.test"\n'
            ),
        ),
        (FIXED, ("yes", "none"), "IPADDR=192.0.2.5\nPREFIX=24\nGATEWAY=192.0.2.1\nIPV6INIT=yes\n"),
        (SIX, ("yes", "none"), 'IPV6INIT=yes\nIPV6_AUTOCONF=no\nIPV6ADDR=2001:db8::5/64\nDOMAIN="a.test"\n'),
        (DYNAMIC, ("yes", "dhcp"), "IPV6INIT=yes\n"),
        (NOTHING, ("yes", "none"), "IPV6INIT=no\n"),
        (MANUAL, ("no", "dhcp"), "IPV6INIT=yes\n"),
    ],
)
def test_ifcfg(request, kind, given, head, rest):
    system = request.getfixturevalue(kind)
    path = "etc/sysconfig/network-scripts/ifcfg-eth0"
    assert system.run(script.configure, given, live=True) == ["write /" + path]
    assert system.read(path) == MARK + IFCFG % head + rest


@pytest.mark.parametrize(
    "given, stanzas, resolv",
    [
        (
            FULL,
            (
                "auto eth0\niface eth0 inet static\n    address 192.0.2.5/24\n    gateway 192.0.2.1\n"
                "    pre-up ip link set dev eth0 mtu 1400\n    dns-nameservers 192.0.2.53 2001:db8::53\n"
                "    dns-search example.com a.test\n"
                "iface eth0 inet static\n    address 192.0.2.6/24\n"
                "iface eth0 inet6 static\n    address 2001:db8::5/64\n    gateway fe80::1\n    accept_ra 0\n"
                "iface eth0 inet6 static\n    address 2001:db8::6/64\n    accept_ra 0\n"
            ),
            "search example.com a.test\nnameserver 192.0.2.53\nnameserver 2001:db8::53\n",
        ),
        (FIXED, "auto eth0\niface eth0 inet static\n    address 192.0.2.5/24\n    gateway 192.0.2.1\n", None),
        (DYNAMIC, "auto eth0\niface eth0 inet dhcp\n", None),
        (NOTHING, "auto eth0\niface eth0 inet manual\n    up ip link set dev eth0 up\n", None),
        (MANUAL, "iface eth0 inet dhcp\n", None),
    ],
)
def test_ifupdown(ifupdown, given, stanzas, resolv):
    path = "/etc/network/interfaces.d/ovm-eth0"
    wanted = ["write /etc/resolv.conf"] * bool(resolv) + ["write " + path]
    assert ifupdown.run(script.configure, given, live=True) == wanted
    assert ifupdown.read(path[1:]) == MARK + stanzas
    old = "nameserver 198.51.100.1\n"
    assert ifupdown.read("etc/resolv.conf") == (old if resolv is None else MARK + resolv)


@pytest.mark.parametrize(
    "given, text",
    [
        (
            FULL,
            (
                "[Match]\nName=eth0\nMACAddress=00:16:3e:00:00:00\n\n[Link]\nMTUBytes=1400\n\n"
                "[Network]\nDHCP=no\nAddress=192.0.2.5/24\nAddress=192.0.2.6/24\nAddress=2001:db8::5/64\n"
                "Address=2001:db8::6/64\nGateway=192.0.2.1\nGateway=fe80::1\nIPv6AcceptRA=no\n"
                "DNS=192.0.2.53\nDNS=2001:db8::53\nDomains=example.com a.test\n"
            ),
        ),
        (
            FIXED,
            "[Match]\nName=eth0\n\n[Link]\n\n[Network]\nDHCP=no\nAddress=192.0.2.5/24\nGateway=192.0.2.1\n",
        ),
        (DYNAMIC, "[Match]\nName=eth0\n\n[Link]\n\n[Network]\nDHCP=ipv4\n"),
        (NOTHING, "[Match]\nName=eth0\n\n[Link]\n\n[Network]\nDHCP=no\n"),
        (
            MANUAL,
            "[Match]\nName=eth0\n\n[Link]\nActivationPolicy=manual\nRequiredForOnline=no\n\n[Network]\nDHCP=ipv4\n",
        ),
    ],
)
def test_networkd(networkd, given, text):
    path = "etc/systemd/network/05-ovm-eth0.network"
    wanted = ["write /etc/resolv.conf"] * (given is FULL) + ["write /" + path]
    assert networkd.run(script.configure, given, live=True) == wanted
    assert networkd.read(path) == MARK + text


NETPLAN = 'network:\n  version: 2\n  ethernets:\n    "00-ovm-eth0":\n      match:\n        name: "eth0"\n'
NETPLAN_FULL = """\
        macaddress: "00:16:3e:00:00:00"
      dhcp4: false
      mtu: 1400
      addresses:
        - "192.0.2.5/24"
        - "192.0.2.6/24"
        - "2001:db8::5/64"
        - "2001:db8::6/64"
      accept-ra: false
      routes:
        - to: "0.0.0.0/0"
          via: "192.0.2.1"
        - to: "::/0"
          via: "fe80::1"
      nameservers:
        addresses:
          - "192.0.2.53"
          - "2001:db8::53"
        search:
          - "example.com"
          - "a.test"
"""
NETPLAN_SIX = """\
      dhcp4: false
      addresses:
        - "2001:db8::5/64"
      accept-ra: false
      nameservers:
        search:
          - "a.test"
"""


@pytest.mark.parametrize(
    "given, text",
    [
        (FULL, NETPLAN_FULL),
        (SIX, NETPLAN_SIX),
        (DYNAMIC, "      dhcp4: true\n"),
        (NOTHING, "      dhcp4: false\n"),
        (MANUAL, '      dhcp4: true\n      activation-mode: "manual"\n'),
    ],
)  # fmt: skip
def test_netplan(netplan, given, text):
    path = "etc/netplan/90-ovm-eth0.yaml"
    resolv = ["write /etc/resolv.conf"] * (given in (FULL, SIX))
    assert netplan.run(script.configure, given, live=True) == resolv + ["write /" + path]
    assert netplan.read(path) == MARK + NETPLAN + text
    assert (netplan.root / path).stat().st_mode & 0o777 == 0o600


KINDS = ["manager", "ifcfg", "classic", "ifupdown", "networkd", "netplan"]
OWN = {
    "manager": "etc/NetworkManager/system-connections/ovm-%s.nmconnection",
    "ifcfg": "etc/sysconfig/network-scripts/ifcfg-%s",
    "classic": "etc/sysconfig/network-scripts/ifcfg-%s",
    "ifupdown": "etc/network/interfaces.d/ovm-%s",
    "networkd": "etc/systemd/network/05-ovm-%s.network",
    "netplan": "etc/netplan/90-ovm-%s.yaml",
}


@pytest.mark.parametrize("kind", KINDS)
def test_several_interfaces(request, kind):
    system = request.getfixturevalue(kind)
    given = dict(FIXED, **{"network.hwaddr.4": "00:16:3E:00:00:01", "network.onboot.4": "yes"})
    system.run(script.configure, given, live=True)
    assert "192.0.2.5" in system.read(OWN[kind] % "eth0")
    assert "eth1" in system.read(OWN[kind] % "eth1")


@pytest.mark.parametrize("kind", KINDS)
def test_an_interface_alone_leaves_the_other(request, kind):
    system = request.getfixturevalue(kind)
    system.run(script.configure, FIXED, live=True)
    before = system.read(OWN[kind] % "eth0")
    system.run(script.reconfigure, {"network.device.0": "eth1"}, live=True)
    assert system.read(OWN[kind] % "eth0") == before


@pytest.mark.parametrize("kind", KINDS)
def test_a_device_with_a_dot(request, kind):
    system = request.getfixturevalue(kind)
    system.write({"sys/class/net/eth0.10/address": MAC})
    system.run(script.configure, {"network.device.0": "eth0.10"}, live=True)
    assert (system.root / (OWN[kind] % ("eth0_10" if kind == "ifupdown" else "eth0.10"))).exists()


# --- what else defines the interface ----------------------------------------------------


def test_profiles_of_the_same_interface_go(manager):
    folder = "etc/NetworkManager/system-connections/"
    manager.write({folder + "old": "[connection]\nid=x\ninterface-name=eth0\n"})
    manager.write({folder + "other": "[connection]\nid=x\ninterface-name=eth1\n[ethernet]\nx=eth0\n"})
    manager.write({"etc/sysconfig/network-scripts/ifcfg-x": 'DEVICE="eth0"\n'})
    manager.write({"etc/sysconfig/network-scripts/ifcfg-y": "DEVICE=eth1\n"})
    manager.write({"etc/network/interfaces": "auto lo\niface lo inet loopback\nauto eth0\niface eth0 inet dhcp\n"})
    assert manager.run(script.configure, FIXED, live=True) == [
        "write /etc/network/interfaces",
        "write /" + PROFILE,
        f"remove /{folder}old",
        "remove /etc/sysconfig/network-scripts/ifcfg-x",
    ]
    assert manager.read("etc/network/interfaces") == "auto lo\niface lo inet loopback\n"


def test_ifcfg_files_of_the_same_interface_go(ifcfg):
    folder = "etc/sysconfig/network-scripts/"
    ifcfg.write({folder + "ifcfg-System_eth0": "DEVICE=eth0\n", folder + "ifcfg-eth1": "DEVICE=eth1\n"})
    ifcfg.write({folder + "ifcfg-eth0": "DEVICE=eth0\nBOOTPROTO=dhcp\nUUID=x\n"})
    ifcfg.write({"etc/NetworkManager/system-connections/a": "[connection]\ninterface-name=eth0\n"})
    ifcfg.write({"etc/NetworkManager/system-connections/b": "[connection]\ninterface-name=eth1\n"})
    assert sorted(ifcfg.run(script.configure, FIXED, live=True)) == [
        "remove /etc/NetworkManager/system-connections/a",
        f"remove /{folder}ifcfg-System_eth0",
        f"write /{folder}ifcfg-eth0",
    ]


INTERFACES = """\
# by the installer
source /etc/network/interfaces.d/*

auto lo eth0 eth1
iface lo inet loopback

# the primary interface
allow-hotplug eth0
iface eth0 inet static
    address 192.0.2.200/24
    # a remark
    up echo \\
        iface eth1 inet dhcp

iface eth0 inet6 auto
mapping eth0
    script x
iface eth1 inet dhcp
    mtu 9000
"""
WITHOUT = """\
# by the installer
source /etc/network/interfaces.d/*

auto lo eth1
iface lo inet loopback

# the primary interface

mapping eth0
    script x
iface eth1 inet dhcp
    mtu 9000
"""


def test_stanzas_of_the_same_interface_go(ifupdown):
    ifupdown.write({"etc/network/interfaces": INTERFACES, "etc/network/interfaces.d/50-x": "iface eth0 inet dhcp\n"})
    assert ifupdown.run(script.configure, FIXED, live=True) == [
        "write /etc/network/interfaces",
        "write /etc/network/interfaces.d/50-x",
        "write /etc/network/interfaces.d/ovm-eth0",
    ]
    assert ifupdown.read("etc/network/interfaces") == WITHOUT
    assert ifupdown.read("etc/network/interfaces.d/50-x") == ""


def test_stanzas_of_several_interfaces_go(ifupdown):
    ifupdown.write({"etc/network/interfaces": "auto eth0 eth1\niface eth0 inet dhcp\niface eth1 inet dhcp"})
    machine = ifupdown.machine(live=True)
    given = {"network.device.0": "eth0", "network.device.1": "eth1"}
    script.configure(machine, {PREFIX + key: value for key, value in given.items()})
    assert ifupdown.read("etc/network/interfaces") == "\nsource /etc/network/interfaces.d/*\n"


@pytest.mark.parametrize("line", ["source interfaces.d/*", "source-directory /etc/network/interfaces.d"])
def test_a_folder_that_is_read_is_not_named_again(ifupdown, line):
    ifupdown.write({"etc/network/interfaces": line + "\n"})
    assert ifupdown.run(script.configure, FIXED, live=True) == ["write /etc/network/interfaces.d/ovm-eth0"]


def test_networkd_s_files_of_the_same_interface_go(networkd):
    networkd.write({"etc/systemd/network/00-x.network": "[Match]\nName=eth0\n"})
    networkd.write({"etc/systemd/network/00-y.network": "[Match]\nName=eth*\n"})
    assert networkd.run(script.configure, FIXED, live=True) == [
        "remove /etc/systemd/network/00-x.network",
        "write /etc/systemd/network/05-ovm-eth0.network",
    ]


DEFINED = (
    INSTALLED
    + """\
    eth0:
      addresses:
      - "192.0.2.200/24"
    cloud.init:
      match:
        macaddress: "00:16:3e:00:00:00"
      set-name: "net0"
    renamed:
      match:
        macaddress: "00:16:3e:00:00:07"
      set-name: "eth0"
    named:
      match:
        name: "eth0"
    all:
      match:
        name: "e*"
      dhcp4: true
"""
)


def test_netplan_s_definitions_of_the_same_interface_go(netplan):
    netplan.write({"etc/netplan/50-installer.yaml": DEFINED})
    assert netplan.run(script.configure, FIXED, live=True) == [
        *["remove netplan's other definition of eth0"] * 4,
        "write /etc/netplan/90-ovm-eth0.yaml",
    ]
    left = netplan.read("etc/netplan/50-installer.yaml")
    assert left == INSTALLED + '    all:\n      match:\n        name: "e*"\n      dhcp4: true\n'


# --- where the network is up already ----------------------------------------------------


def done(system):
    """The command lines of what was done, without systemctl's."""
    return [" ".join(call) for call in system.calls if call[0] != "systemctl"]


@pytest.mark.parametrize("kind", ["manager", "ifcfg"])
@pytest.mark.parametrize("given, up", [(FIXED, ["nmcli --wait 60 connection up id ovm-eth0"]), (MANUAL, [])])
def test_networkmanager_applies(request, kind, given, up):
    system = request.getfixturevalue(kind)
    active(system, "NetworkManager")
    changes = system.run(script.reconfigure, given, live=True)
    assert changes[1:] == ["load the profiles of NetworkManager"] + ["set up eth0"] * bool(up)
    assert done(system) == ["nmcli connection reload"] + up


@pytest.mark.parametrize("given, up", [(FIXED, ["ifup eth0"]), (MANUAL, [])])
def test_the_service_network_applies(classic, given, up):
    active(classic, "network")
    classic.run(script.reconfigure, given, live=True)
    assert done(classic) == ["ifdown eth0"] + up


@pytest.mark.parametrize(
    "given, was, done_now",
    [
        (FIXED, "lo=lo\neth0=eth0\n", ["ifdown eth0", "ifup eth0"]),
        (FIXED, "lo=lo\n", ["ifup eth0"]),
        (MANUAL, "eth0=eth0\n", ["ifdown eth0"]),
    ],
)
def test_ifupdown_applies(ifupdown, given, was, done_now):
    active(ifupdown, "networking")
    ifupdown.write({"run/network/ifstate": was})
    ifupdown.run(script.reconfigure, given, live=True)
    assert done(ifupdown) == done_now


def test_ifupdown_that_cannot(ifupdown):
    active(ifupdown, "networking")
    tools(ifupdown, "ifup")
    ifupdown.fail("ifup", "no such device")
    with pytest.raises(Failed, match="ifup failed with exit code 1: ifup: no such device"):
        script.configure(ifupdown.machine(live=True), {PREFIX + k: v for k, v in FIXED.items()})
    # What is not up yet will be at the next boot.
    assert (ifupdown.root / (OWN["ifupdown"] % "eth0")).exists()


def test_networkd_applies(networkd):
    active(networkd, "systemd-networkd")
    networkd.run(script.reconfigure, FIXED, live=True)
    assert done(networkd) == ["networkctl reload", "networkctl reconfigure eth0"]


def test_an_old_networkd_is_restarted(networkd):
    (networkd.root / "usr/lib/systemd/libsystemd-shared-252.so").rename(
        networkd.root / "usr/lib/systemd/libsystemd-shared-241.so"
    )
    active(networkd, "systemd-networkd")
    networkd.run(script.reconfigure, FIXED, live=True)
    assert done(networkd) == []
    assert ["systemctl", "restart", "systemd-networkd.service"] in networkd.calls


def test_netplan_applies_with_networkd(netplan):
    active(netplan, "systemd-networkd")
    netplan.run(script.reconfigure, FIXED, live=True)
    assert done(netplan) == ["netplan generate", "networkctl reload", "networkctl reconfigure eth0"]


def test_netplan_applies_with_networkmanager(netplan):
    netplan.write({"etc/netplan/01-all.yaml": "network:\n  version: 2\n  renderer: NetworkManager\n  ethernets:\n"})
    active(netplan, "NetworkManager")
    # It keeps /etc/resolv.conf.
    assert netplan.run(script.reconfigure, FULL, live=True) == [
        "write /etc/netplan/90-ovm-eth0.yaml",
        "apply netplan's settings",
    ]
    assert done(netplan) == ["netplan apply"]


def test_netplan_at_boot(netplan):
    active(netplan)
    assert netplan.run(script.configure, FIXED, live=True) == [
        "write /etc/netplan/90-ovm-eth0.yaml",
        "make the settings of netplan's services",
        "reload systemd",
        "start systemd-networkd",
    ]
    assert ["systemctl", "start", "--no-block", "systemd-networkd"] in netplan.calls


# --- which of them manages the system ---------------------------------------------------


def chosen(system):
    return script.choose(system.machine(live=True)).name


@pytest.mark.parametrize(
    "kind, name",
    [
        ("manager", "NetworkManager"),
        ("ifcfg", "NetworkManager with ifcfg files"),
        ("classic", "the service 'network'"),
        ("ifupdown", "ifupdown"),
        ("networkd", "systemd-networkd"),
        ("netplan", "netplan"),
    ],
)
def test_chosen(request, kind, name):
    assert chosen(request.getfixturevalue(kind)) == name


def test_netplan_is_above_what_it_uses(netplan):
    enabled(netplan, "NetworkManager", "systemd-networkd")
    assert chosen(netplan) == "netplan"


def test_without_definitions_netplan_leaves_it_to_others(netplan):
    (netplan.root / "etc/netplan/50-installer.yaml").unlink()
    assert chosen(netplan) == "netplan"
    enabled(netplan, "NetworkManager")
    assert chosen(netplan) == "NetworkManager"


def test_ifupdown_without_interfaces_leaves_it_to_others(ifupdown):
    enabled(ifupdown, "systemd-networkd")
    assert chosen(ifupdown) == "systemd-networkd"
    ifupdown.write({"etc/network/interfaces.d/x": "iface eth0 inet dhcp\n"})
    assert chosen(ifupdown) == "ifupdown"


def test_what_is_masked_is_off(manager):
    manager.service("systemd-networkd")
    (manager.root / "etc/systemd/system/NetworkManager.service").symlink_to("/dev/null")
    assert chosen(manager) == "systemd-networkd"
    (manager.root / "etc/systemd/system/systemd-networkd.service").symlink_to("/dev/null")
    with pytest.raises(Failed, match="nothing here manages network interfaces"):
        chosen(manager)


def test_what_is_gone_but_for_its_link_is_off(manager):
    (manager.root / "usr/lib/systemd/system/NetworkManager.service").unlink()
    manager.service("systemd-networkd")
    assert chosen(manager) == "systemd-networkd"


def test_fedora_s_number_is_no_old_release(ifcfg):
    ifcfg.write({"etc/os-release": "ID=fedora\nVERSION_ID=8\n"})
    assert chosen(ifcfg) == "NetworkManager"


def test_nothing_manages(live):
    assert "install and enable one of" in live.refused(script.configure, dict(FIXED, **{"network.hostname": "a"}), True)


def test_networkd_is_switched_on_where_it_is_all_there_is(live):
    live.service("systemd-networkd")
    live.boot()
    link = live.root / "etc/systemd/system/x.wants/systemd-networkd.service"

    # the stand-in of systemctl keeps its own books
    def configure(machine, parameters):
        script.configure(machine, parameters)
        if not machine.check:
            link.parent.mkdir(parents=True, exist_ok=True)
            link.exists() or link.is_symlink() or link.symlink_to("x")

    assert live.run(configure, FIXED, live=True) == [
        "write /etc/systemd/network/05-ovm-eth0.network",
        "enable systemd-networkd",
        "start systemd-networkd",
    ]


# --- refused before anything is changed -------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_an_interface_that_is_not_there(request, kind):
    system = request.getfixturevalue(kind)
    given = dict(FIXED, **{"network.hostname": "db1", "network.device.0": "eth7"})
    assert "there is eth0 (00:16:3e:00:00:00), eth1" in system.refused(script.configure, given, True)


def test_a_driver_may_still_be_loading(manager):
    tools(manager, "udevadm")
    machine = manager.machine(live=True)
    script.configure(machine, {PREFIX + "network.hwaddr.0": "00:16:3e:00:00:09"})
    assert "interface-name=eth9" in manager.read(OWN["manager"] % "eth9")


def test_an_image_s_interfaces_are_not_known(manager):
    manager.run(script.configure, {"network.device.0": "eth7"})
    assert "network.device.0 is missing" in manager.refused(script.configure, {"network.hwaddr.0": MAC})


def test_a_bad_second_interface(manager):
    given = dict(FIXED, **{"network.hostname": "db1", "network.device.1": "eth1", "network.bootproto.1": "static"})
    assert "network.ipaddr.1 is missing" in manager.refused(script.configure, given, True)


def test_ifupdown_with_dhcp_and_servers(ifupdown):
    given = dict(DYNAMIC, **{"network.dns-servers.0": "192.0.2.53"})
    assert "resolvconf" in ifupdown.refused(script.configure, given, True)
    ifupdown.write({"sbin/resolvconf": ""})
    assert ifupdown.run(script.configure, given, live=True) == ["write /etc/network/interfaces.d/ovm-eth0"]


def test_a_networkd_that_cannot_leave_an_interface_down(networkd):
    (networkd.root / "usr/lib/systemd/libsystemd-shared-252.so").rename(
        networkd.root / "usr/lib/systemd/libsystemd-shared-247.so"
    )
    assert "systemd 248 is the first" in networkd.refused(script.configure, MANUAL, True)


def test_netplan_refuses(netplan, tmp_path):
    (tmp_path / "netplan-is-old").touch()
    assert "unknown key 'activation-mode'" in netplan.refused(script.configure, MANUAL, True)


def test_netplan_s_check_needs_room(netplan, monkeypatch):
    def full(*_arguments, **_options):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.makedirs", full)
    assert "No space left" in netplan.refused(script.configure, FIXED, True)


# --- /etc/resolv.conf -------------------------------------------------------------------


def test_a_resolv_conf_that_is_a_link_is_somebody_s(networkd):
    (networkd.root / "etc/resolv.conf").unlink()
    (networkd.root / "etc/resolv.conf").symlink_to("../run/systemd/resolve/stub-resolv.conf")
    assert networkd.run(script.configure, FULL, live=True) == ["write /etc/systemd/network/05-ovm-eth0.network"]


def test_resolved_has_its_servers_from_networkd(networkd):
    enabled(networkd, "systemd-resolved")
    assert networkd.run(script.configure, FULL, live=True) == ["write /etc/systemd/network/05-ovm-eth0.network"]


# --- host name and /etc/hosts -----------------------------------------------------------

NAMED = {"network.hostname": "db1.example.com"}


def part(name, *lines):
    return "".join(line + "\n" for line in (f"# BEGIN ovm-template-config: {name}", *lines,
                                            f"# END ovm-template-config: {name}"))  # fmt: skip


def test_a_host_name(live):
    tools(live, "hostname")
    assert live.run(script.configure, NAMED, live=True) == [
        "write /etc/hostname",
        "set the host name",
        "write /etc/hosts",
    ]
    assert live.read("etc/hostname") == "db1.example.com\n"
    assert live.calls == [["hostname", "db1.example.com"]]
    assert live.read("etc/hosts") == HOSTS + part("this host", "127.0.1.1\tdb1.example.com db1")


def test_a_host_name_by_hostnamectl(live, monkeypatch):
    monkeypatch.setattr(stock_machine.Machine, "dbus_works", True)
    tools(live, "hostname", "hostnamectl")
    assert live.run(script.configure, NAMED, live=True) == ["set the host name", "write /etc/hosts"]
    assert live.calls == [["hostnamectl", "set-hostname", "db1.example.com"]]


def test_a_hostnamectl_that_fails(live, monkeypatch):
    monkeypatch.setattr(stock_machine.Machine, "dbus_works", True)
    tools(live, "hostname", "hostnamectl")
    live.fail("hostnamectl", "not now")
    machine = live.machine(live=True)
    script.configure(machine, {PREFIX + key: value for key, value in NAMED.items()})
    assert machine.changes == ["write /etc/hostname", "set the host name", "write /etc/hosts"]


def test_a_host_name_of_an_image(system):
    system.write({"etc/sysconfig/network": "NETWORKING=yes\nHOSTNAME=template\n"})
    assert system.run(script.configure, {"network.hostname": "db1"}) == [
        "write /etc/sysconfig/network",
        "write /etc/hostname",
        "write /etc/hosts",
    ]
    assert system.read("etc/sysconfig/network") == "NETWORKING=yes\nHOSTNAME=db1\n"
    assert system.read("etc/hosts") == HOSTS + part("this host", "127.0.1.1\tdb1")


def test_a_host_name_stands_for_the_first_fixed_address(manager):
    tools(manager, "hostname")
    manager.write({"etc/hosts": HOSTS + "127.0.1.1 template\n192.0.2.8 other"})
    given = {"network.hostname": "db1", "network.device.0": "eth1", "network.device.1": "eth0",
             "network.ipaddr.1": "192.0.2.5/24"}  # fmt: skip
    manager.run(script.configure, given, live=True)
    assert manager.read("etc/hosts") == HOSTS + "192.0.2.8 other\n" + part("this host", "192.0.2.5\tdb1")


def test_a_system_that_knows_its_name_needs_no_line(system):
    system.write({"etc/hosts": HOSTS, "etc/nsswitch.conf": "passwd: files\nhosts: files dns myhostname # x\n"})
    assert system.run(script.configure, NAMED) == ["write /etc/hostname"]
    assert system.read("etc/hosts") == HOSTS


def test_lines_for_hosts(system):
    system.write({"etc/hosts": HOSTS, "etc/nsswitch.conf": "hosts: files dns\n"})
    system.run(script.configure, {"network.host.3": "192.0.2.9 db2", "network.host.0": "192.0.2.8 db0 # x"})
    assert system.read("etc/hosts") == HOSTS + part("other hosts", "192.0.2.8 db0 # x", "192.0.2.9 db2")
    system.run(script.configure, dict(NAMED, **{"network.host.0": "192.0.2.7 db3"}))
    assert system.read("etc/hosts") == (
        HOSTS + part("other hosts", "192.0.2.7 db3") + part("this host", "127.0.1.1\tdb1.example.com db1")
    )


def test_nothing_is_asked_for(live):
    assert live.run(script.configure, live=True) == []


# --- cleanup ----------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_ours_go(request, kind):
    system = request.getfixturevalue(kind)
    tools(system, "hostname")
    system.run(script.configure, dict(FULL, **NAMED), live=True)
    system.run(script.cleanup, live=True)
    assert not (system.root / (OWN[kind] % "eth0")).exists()
    left = [path for path in (system.root / "etc").rglob("*") if path.is_file() and b"192.0.2" in path.read_bytes()]
    assert left == []
    assert system.read("etc/hostname") == "localhost\n"
    assert system.read("etc/hosts") == HOSTS
    # and is made again for the next one
    system.run(script.configure, dict(FULL, **NAMED), live=True)
    assert (system.root / (OWN[kind] % "eth0")).exists()


TRACES = [
    "etc/dhcpcd.duid",
    "etc/udev/rules.d/70-persistent-net.rules",
    "var/lib/NetworkManager/internal-x-eth0.lease",
    "var/lib/NetworkManager/secret_key",
    "var/lib/NetworkManager/seen-bssids",
    "var/lib/NetworkManager/timestamps",
    "var/lib/dhclient/dhclient--eth0.lease",
    "var/lib/dhcp/dhclient.eth0.leases",
    "var/lib/dhcpcd/eth0.lease",
    "var/lib/systemd/network/leases/2",
]


def test_traces_go(system):
    system.write(dict.fromkeys(TRACES, "x"))
    system.write({"var/lib/NetworkManager/NetworkManager.state": "x"})
    system.run(script.cleanup)
    assert [name for name in TRACES if (system.root / name).exists()] == []
    assert (system.root / "var/lib/NetworkManager/NetworkManager.state").exists()


PROFILES = {
    "bound": "[connection]\ntype=ethernet\n[ethernet]\nmac-address=00:16:3E:00:00:00\n",
    "bound-old": "[connection]\ntype=802-3-ethernet\n[802-3-ethernet]\nmac-address=00:16:3E:00:00:00\n",
    "fixed": "[connection]\ntype=ethernet\n[ipv4]\nmethod=manual\n",
    "fixed-6": "[connection]\ntype=ethernet\n[ipv6]\nmethod=manual\n",
    "any": "[connection]\ntype=ethernet\ninterface-name=eth0\n[ipv4]\nmethod=auto\n",
    "tunnel": "[connection]\ntype=vpn\n[ipv4]\nmethod=manual\n",
}


def test_networkmanager_s_profiles_of_this_machine_go(system):
    folder = "etc/NetworkManager/system-connections/"
    system.write({folder + name: text for name, text in PROFILES.items()})
    system.run(script.cleanup)
    assert sorted(path.name for path in (system.root / folder).iterdir()) == ["any", "tunnel"]


def test_ifcfg_files_of_this_machine_go(ifcfg):
    folder = "etc/sysconfig/network-scripts/"
    ifcfg.write({folder + "ifcfg-eth0": "DEVICE=eth0\nHWADDR=00:16:3E:00:00:00\nUUID=x\nBOOTPROTO=dhcp\n"})
    ifcfg.write({folder + "ifcfg-eth1": "DEVICE=eth1\nIPADDR=192.0.2.5\n"})
    ifcfg.write({folder + "ifcfg-eth2": "DEVICE=eth2\nIPADDR0=192.0.2.5\n"})
    ifcfg.run(script.cleanup)
    assert ifcfg.read(folder + "ifcfg-eth0") == "DEVICE=eth0\nBOOTPROTO=dhcp\n"
    assert sorted(path.name for path in (ifcfg.root / folder).iterdir()) == ["ifcfg-eth0", "ifcfg-lo"]


def test_ifupdown_s_fixed_addresses_go(ifupdown):
    ifupdown.write({"etc/network/interfaces": INTERFACES})
    ifupdown.run(script.cleanup, live=True)
    assert ifupdown.read("etc/network/interfaces") == WITHOUT
    assert chosen(ifupdown) == "ifupdown"


def test_networkd_s_files_of_this_machine_go(system):
    folder = "etc/systemd/network/"
    system.write({folder + "a.network": "[Match]\nName=e*\n[Network]\nDHCP=yes\n"})
    system.write({folder + "b.network": "[Match]\nName=e*\n[Network]\nAddress=192.0.2.5/24\n"})
    system.write({folder + "c.network": "[Match]\nMACAddress=00:16:3e:00:00:00\n"})
    system.write({folder + "d.link": "[Match]\nPermanentMACAddress=00:16:3e:00:00:00\n[Link]\nName=net0\n"})
    system.run(script.cleanup)
    assert [path.name for path in (system.root / folder).iterdir()] == ["a.network"]


def test_netplan_s_definitions_of_this_machine_go(netplan):
    netplan.write({"etc/netplan/50-installer.yaml": DEFINED})
    assert [change for change in netplan.run(script.cleanup, live=True) if "netplan" in change] == [
        f"remove netplan's definition '{name}', which is of this machine" for name in ("eth0", "cloud.init", "renamed")
    ]


def test_other_names_go(system):
    system.write({"etc/hostname": "db1.example.com\n", "etc/sysconfig/network": "HOSTNAME=db1.example.com\n"})
    lines = "# kept\n\n127.0.0.1 localhost localhost.localdomain db1 db1.example.com\n::1 localhost\n127.0.0.1 db1\n"
    lines += "fe00::0 ip6-localnet\nff02::1 ip6-allnodes\n127.0.1.1 db1\n192.0.2.5 db1\nfoo bar\n127.0.0.53 stub\n"
    system.write({"etc/hosts": lines, "etc/resolv.conf": "nameserver 192.0.2.53\n"})
    system.run(script.cleanup)
    assert system.read("etc/hosts") == (
        "# kept\n\n127.0.0.1\tlocalhost localhost.localdomain\n::1 localhost\n"
        "fe00::0 ip6-localnet\nff02::1 ip6-allnodes\n127.0.0.53 stub\n"
    )
    assert system.read("etc/hostname") == "localhost\n"
    assert system.read("etc/sysconfig/network") == "HOSTNAME=localhost\n"
    assert system.read("etc/resolv.conf") == ""


def test_what_runs_goes_on(manager):
    """Sealing is done over the network."""
    active(manager, "NetworkManager", "systemd-networkd", "networking")
    manager.run(script.configure, FULL, live=True)
    before = manager.calls
    manager.run(script.cleanup, live=True)
    assert manager.calls == before


# --- the script -------------------------------------------------------------------------


def test_described():
    for target in "configure", "reconfigure":
        assert all(one["key"].startswith(PREFIX + "network.") for one in script.DESCRIBED[target])
    assert {one["key"] for one in script.DESCRIBED["configure"]} >= {PREFIX + key for key in FULL}
    assert not any(one.get("required") for one in script.DESCRIBED["configure"])
