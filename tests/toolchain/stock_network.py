# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Try the stock script network on real systems: does what it writes come true?

usage, as root: tests/bootstrap python -m toolchain.stock_network [SYSTEM...]

Each system is a container with systemd, in no network, whose interfaces are one end each of a
pair that is made at boot. The script runs as at a first boot, before the network; then while
the system is up; then it seals it. After each step the interfaces must be as was asked for.
Nothing here is of the RHEL family: there are no packages of that to be had everywhere, so that
ifcfg files are only tried against what is documented of them.
"""

import argparse
import json
import subprocess
import sys
import time

from toolchain import ROOT, containers

_BASE = ("systemd-sysv", "dbus", "python3", "iproute2")
_NETPLAN = """cat >/etc/netplan/50-installer.yaml <<'END'
# by an installer
network: {version: 2, ethernets: {veth0: {addresses: [192.0.2.200/24]}, all: {match: {name: "veth*"}, dhcp4: true}}}
END
chmod 600 /etc/netplan/*
"""
_INTERFACES = """cat >>/etc/network/interfaces <<'END'
auto lo veth0
iface lo inet loopback
iface veth0 inet static
    address 192.0.2.200/24
END
"""
_NETWORKD = "systemctl enable --quiet systemd-networkd"
#: What is tried: suite, packages, and how the system was made.
SYSTEMS = {
    "debian11-ifupdown": ("bullseye", ("ifupdown",), _INTERFACES),
    "debian12-ifupdown": ("bookworm", ("ifupdown",), _INTERFACES),
    "debian11-networkd": ("bullseye", (), _NETWORKD),
    "debian12-networkd": ("bookworm", (), _NETWORKD),
    "debian12-netplan": ("bookworm", ("netplan.io",), _NETPLAN),
    "debian13-netplan": ("trixie", ("netplan.io", "systemd-resolved"), _NETPLAN),
    "debian12-networkmanager": ("bookworm", ("network-manager",), ""),
    "debian13-networkmanager": ("trixie", ("network-manager",), ""),
    # One that nobody has given a network yet.
    "debian12-nothing": ("bookworm", (), ""),
}
#: Seconds that anything may take to come true.
PATIENCE = 60

PREFIX = "com.oracle.linux.network."
FIRST = {
    "hostname": "db1.example.com",
    "device.0": "veth0",
    "ipaddr.0": "192.0.2.5, 192.0.2.6, 2001:db8::5/64",
    "netmask.0": "255.255.255.0",
    "gateway.0": "192.0.2.1, fe80::1",
    "dns-servers.0": "192.0.2.53",
    "dns-search-domains.0": "example.com",
    "mtu.0": "1400",
    "device.1": "veth1",
    "bootproto.1": "none",
}
LATER = dict(FIRST, **{"ipaddr.0": "192.0.2.77, 2001:db8::77/64"})

_LINKS = """[Unit]
DefaultDependencies=no
Before=network-pre.target first.service
Wants=network-pre.target
[Service]
Type=oneshot
RemainAfterExit=yes
# ifupdown sets some; a container has them read-only.
ExecStart=mount -o remount,rw /proc/sys
ExecStart=sh -ec 'for n in 0 1; do ip link add veth$n type veth peer name peer$n; ip link set peer$n up; done'
[Install]
WantedBy=sysinit.target
"""
# As ovm-template-initial-config.service has it.
_FIRST = """[Unit]
DefaultDependencies=no
After=sysinit.target
Before=network-pre.target
Wants=network-pre.target
ConditionPathExists=/first.json
[Service]
Type=oneshot
ExecStart=sh -c '/try configure </first.json'
ExecStartPost=rm /first.json
[Install]
WantedBy=multi-user.target
"""
_TRY = f"""#!/bin/sh
export PYTHONPATH={ROOT}/programs/ovm-template-config/lib PYTHONDONTWRITEBYTECODE=1 TEMPLATECONFIG_RESULT_FD=3
exec {ROOT}/roles/ovmd/files/scripts/network "$@" 3>/result >/output
"""


class WentWrong(Exception):
    """What was asked for has not come true."""


class System:
    """One of SYSTEMS, which runs."""

    def __init__(self, name):
        self.name = f"ovm-messaging-network-{name}"
        suite, packages, self._script = SYSTEMS[name]
        self._image = containers.make_image("localhost/ovm-messaging-network", suite, (*_BASE, *packages))

    def __enter__(self):
        containers.remove(self.name)
        options = ["--detach", f"--name={self.name}", "--hostname=template", "--systemd=always", "--network=none"]
        options += ["--cap-add=SYS_ADMIN", "--cap-add=NET_ADMIN", "--no-hosts", f"--volume={ROOT}:{ROOT}:ro"]
        subprocess.run(
            containers.podman("run", *options, self._image, "/sbin/init"), check=True, stdout=subprocess.DEVNULL
        )
        self._wait_until_booted()
        for path, text in (
            ("/etc/systemd/system/links.service", _LINKS),
            ("/etc/systemd/system/first.service", _FIRST),
            ("/try", _TRY),
        ):
            self.run(f"cat >{path}", text)
        self.run(f"chmod 755 /try; systemctl enable --quiet links first; {self._script}")
        return self

    def __exit__(self, *_problem):
        containers.remove(self.name)

    def run(self, script, given=""):
        """:returns: what a script of the shell prints in the system."""
        command = containers.podman("exec", "--interactive", self.name, "sh", "-ec", script)
        done = subprocess.run(command, check=False, input=given, text=True, capture_output=True)
        if done.returncode:
            raise WentWrong(f"{script}: {done.stderr.strip() or 'failed'}")
        return done.stdout

    def boot(self):
        subprocess.run(containers.podman("restart", "--time=5", self.name), check=True, stdout=subprocess.DEVNULL)
        self._wait_until_booted()

    def ask(self, target, parameters, *options):
        """Run the script.

        :returns: whether it has changed anything, and what it printed.
        """
        self.run("/try %s || cat /result >&2; grep -q message /result" % " ".join([*options, target]), text(parameters))
        result = json.loads(self.run("cat /result"))
        if result["message"]:
            raise WentWrong(f"{target}: {result['message']}")
        # The parameters are the last line; they are passed on.
        return result["changed"], [line for line in self.run("cat /output").splitlines() if not line.startswith("{")]

    def expect(self, parameters):
        """Wait until the interfaces are so."""
        wanted = sorted(address.strip().partition("/")[0] for address in parameters["ipaddr.0"].split(","))
        deadline = time.monotonic() + PATIENCE
        while True:
            found = self.found()
            if found == (wanted, int(parameters["mtu.0"]), ["192.0.2.1", "fe80::1"], True):
                return
            if time.monotonic() > deadline:
                raise WentWrong(f"the interfaces are {found}, and should be {wanted}")
            time.sleep(0.2)

    def found(self):
        """:returns: the addresses of the first, its MTU, its gateways; whether the second is up without any."""
        links = {link["ifname"]: link for link in json.loads(self.run("ip -json address"))}
        addresses = {
            name: sorted(
                one["local"] for one in link["addr_info"] if one["scope"] == "global" and not one.get("tentative")
            )
            for name, link in links.items()
        }
        routes = json.loads(self.run("ip -json route") or "[]") + json.loads(self.run("ip -6 -json route") or "[]")
        gateways = sorted(r["gateway"] for r in routes if r["dst"] == "default" and r["dev"] == "veth0")
        bare = "UP" in links["veth1"]["flags"] and not addresses["veth1"]
        return addresses["veth0"], links["veth0"]["mtu"], gateways, bare

    def _wait_until_booted(self):
        deadline = time.monotonic() + PATIENCE
        while True:
            command = containers.podman("exec", self.name, "systemctl", "is-system-running", "--wait")
            state = subprocess.run(command, check=False, capture_output=True, text=True).stdout.strip()
            if state in ("running", "degraded"):
                return
            if time.monotonic() > deadline:
                raise WentWrong(f"it has not booted in {PATIENCE} s: it is {state or 'not there'}")
            time.sleep(0.1)


def text(parameters):
    return json.dumps({PREFIX + key: value for key, value in parameters.items()})


def attempt(system):
    """All steps."""
    system.run("cat >/first.json", text(FIRST))
    system.boot()
    failed = system.run("systemctl show --property=Result --value first.service").strip()
    if failed != "success":
        raise WentWrong("the first boot's service ended with %s: %s" % (failed, system.run("cat /result")))
    system.expect(FIRST)
    if system.run("hostname").strip() != "db1.example.com":
        raise WentWrong("the host name is not set")
    if "192.0.2.53" not in system.run("cat /etc/resolv.conf; resolvectl 2>/dev/null || true"):
        raise WentWrong("the name server is not set")
    expect_nothing_to_do(system, "configure", FIRST)

    foretold = system.ask("reconfigure", LATER, "--check")
    if foretold != system.ask("reconfigure", LATER):
        raise WentWrong(f"check mode foretold {foretold}, and it was {system.run('cat /output')}")
    system.expect(LATER)
    expect_nothing_to_do(system, "reconfigure", LATER)
    system.boot()
    system.expect(LATER)

    foretold = system.ask("cleanup", {}, "--check")
    if foretold != system.ask("cleanup", {}):
        raise WentWrong(f"check mode foretold {foretold}, and it was {system.run('cat /output')}")
    expect_nothing_to_do(system, "cleanup", {})
    # What runs goes on running.
    system.expect(LATER)
    left = system.run("grep -rlE '192[.]0[.]2[.]|db1[.]example' /etc /var/lib 2>/dev/null || true").split()
    if left:
        raise WentWrong(f"sealed, and still there: {left}")
    # The next one that is made of it.
    system.run("cat >/first.json", text(LATER))
    system.boot()
    system.expect(LATER)


def expect_nothing_to_do(system, target, parameters):
    changed, printed = system.ask(target, parameters)
    if changed:
        raise WentWrong(f"a second {target} has changed something: {printed}")


def main():
    parser = argparse.ArgumentParser(prog="toolchain.stock_network", description=__doc__.splitlines()[0])
    parser.add_argument("systems", nargs="*", metavar="SYSTEM", help="one of: " + ", ".join(SYSTEMS))
    names = parser.parse_args().systems or list(SYSTEMS)
    unknown = [name for name in names if name not in SYSTEMS]
    if unknown:
        parser.error(f"there is no {unknown[0]}")
    try:
        containers.prepare()
    except containers.ContainerError as problem:
        sys.exit(f"toolchain.stock_network: {problem}")
    failed = []
    for name in names:
        start = time.monotonic()
        try:
            with System(name) as system:
                attempt(system)
            print(f"{name}: as it should be, {time.monotonic() - start:.0f} s", flush=True)
        except WentWrong as problem:
            failed.append(name)
            print(f"{name}: {problem}", flush=True)
    sys.exit(bool(failed))


if __name__ == "__main__":
    main()
