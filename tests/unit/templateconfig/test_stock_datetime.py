# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The stock script datetime. No test sets a clock: date and hwclock are stand-ins, as is systemd with its services."""

import pytest

from templateconfig.stock import date_and_time, machine

SERVERS = {"datetime.ntp-servers": "192.0.2.1, time.example.com"}
CHRONY = "# our servers\npool 2.pool.ntp.org iburst\n\ndriftfile /var/lib/chrony/drift\nserver x\n#local stratum 10\n"


@pytest.fixture
def zones(system):
    system.write({f"usr/share/zoneinfo/{zone}": b"TZif2..." for zone in ("Europe/Oslo", "Etc/UTC", "Etc/GMT+1")})
    system.write({"usr/share/zoneinfo/zone.tab": "a table"})
    (system.root / "etc/localtime").symlink_to("../usr/share/zoneinfo/Etc/UTC")


@pytest.fixture
def bus(monkeypatch):
    """A message bus that answers."""
    monkeypatch.setattr(machine.Machine, "dbus_works", True)


def zone(system):
    return (system.root / "etc/localtime").readlink().as_posix()


def test_nothing_is_asked_for(system):
    assert system.run(date_and_time.configure, live=True) == []


# --- time zone --------------------------------------------------------------------------


def test_a_time_zone_without_a_bus(system, zones):
    asked = {"datetime.timezone": "Europe/Oslo"}
    assert system.run(date_and_time.configure, asked) == ["link /etc/localtime to ../usr/share/zoneinfo/Europe/Oslo"]
    assert zone(system) == "../usr/share/zoneinfo/Europe/Oslo"


def test_a_time_zone_by_timedatectl(system, zones, bus):
    system.tools("timedatectl")
    system.write({"etc/timezone": "Etc/UTC\n"})
    asked = {"datetime.timezone": "Europe/Oslo"}
    assert system.run(date_and_time.configure, asked) == ["write /etc/timezone", "set the time zone to Europe/Oslo"]
    assert zone(system) == "../usr/share/zoneinfo/Europe/Oslo"
    assert system.read("etc/timezone") == "Europe/Oslo\n"
    assert system.calls == [["timedatectl", "set-timezone", "Europe/Oslo"]]


def test_timedatectl_fails(system, zones, bus):
    system.tools("timedatectl")
    system.fail("timedatectl", "Failed to set time zone: Connection timed out")
    told = []
    here = machine.Machine(str(system.root), tell=told.append)
    date_and_time.configure(here, {"com.oracle.linux.datetime.timezone": "Europe/Oslo"})
    assert here.changes == ["link /etc/localtime to ../usr/share/zoneinfo/Europe/Oslo"]
    assert told[0].startswith("will try otherwise: timedatectl failed with exit code 1")


def test_a_copy_of_a_time_zone_becomes_a_link(system, zones):
    (system.root / "etc/localtime").unlink()
    system.write({"etc/localtime": b"TZif2..."})
    assert len(system.run(date_and_time.configure, {"datetime.timezone": "Etc/GMT+1"})) == 1
    assert zone(system) == "../usr/share/zoneinfo/Etc/GMT+1"


@pytest.mark.parametrize(
    "name", ["Europe/Nowhere", "zone.tab", "../../../etc/passwd", "/etc/passwd", "Europe", "Europe/"]
)
def test_there_is_no_such_time_zone(system, zones, name):
    assert "datetime.timezone is" in system.refused(date_and_time.configure, {"datetime.timezone": name})


# --- hardware clock and clock -----------------------------------------------------------


def test_the_hardware_clock_s_time(system):
    assert system.run(date_and_time.configure, {"datetime.utc": "True"}) == []
    assert system.run(date_and_time.configure, {"datetime.utc": "False"}) == ["write /etc/adjtime"]
    assert system.read("etc/adjtime") == "0.0 0 0.0\n0\nLOCAL\n"
    system.write({"etc/adjtime": "1.5 1700000000 0\n1700000000\nLOCAL\n"})
    assert system.run(date_and_time.configure, {"datetime.utc": "true"}) == ["write /etc/adjtime"]
    assert system.read("etc/adjtime") == "1.5 1700000000 0\n1700000000\nUTC\n"


def test_the_hardware_clock_s_time_by_timedatectl(system, bus):
    system.tools("timedatectl")
    asked = {"datetime.utc": "False"}
    assert system.run(date_and_time.configure, asked) == ["keep the hardware clock in local time"]
    assert system.calls == [["timedatectl", "set-local-rtc", "1"]]
    assert system.run(date_and_time.configure, {"datetime.utc": "yes"}) == ["keep the hardware clock in UTC"]


def test_the_hardware_clock_where_timedatectl_fails(system, bus):
    system.tools("timedatectl")
    system.fail("timedatectl")
    here = system.machine()
    date_and_time.configure(here, {"com.oracle.linux.datetime.utc": "False"})
    assert here.changes == ["write /etc/adjtime"]


def test_the_clock_is_set_once(system):
    system.tools("date", "hwclock")
    system.write({"dev/rtc0": ""})
    asked = {"datetime.datetime": "2011-4-7-9-2-42"}
    assert system.run(date_and_time.configure, asked, live=True) == [
        "set the clock",
        "set the hardware clock",
        "write /var/lib/ovm-template-config/datetime",
    ]
    assert system.read("run/clock") == "2011-04-07 09:02:42"
    # a template that was made of it sets it again
    assert system.run(date_and_time.cleanup) == ["remove /var/lib/ovm-template-config/datetime"]
    assert len(system.run(date_and_time.configure, asked, live=True)) == 3
    assert len(system.run(date_and_time.configure, {"datetime.datetime": "2011-4-7-9-2-43"}, live=True)) == 3


def test_without_a_hardware_clock(system):
    system.tools("date", "hwclock")
    asked = {"datetime.datetime": "2011-4-7-9-2-42"}
    assert "set the hardware clock" not in system.run(date_and_time.configure, asked, live=True)


def test_the_clock_cannot_be_set(system):
    system.tools("date")
    system.fail("date", "cannot set date: Operation not permitted")
    here = system.machine(live=True)
    with pytest.raises(machine.Failed, match="date failed with exit code 1: date: cannot set date"):
        date_and_time.configure(here, {"com.oracle.linux.datetime.datetime": "2011-4-7-9-2-42"})
    assert here.changes == []


def test_a_system_that_does_not_run_has_no_clock(system):
    said = system.refused(date_and_time.configure, {"datetime.datetime": "2011-4-7-9-2-42"})
    assert said == "com.oracle.linux.datetime.datetime is given, but this system does not run: leave it out in an image"


@pytest.mark.parametrize(
    "value", ["2011-13-7-9-2-42", "2011-4-31-9-2-42", "2011-4-7", "now", "1970-1-1-0-0-0", "11-4-7-9-2-42"]
)
def test_what_is_no_date_and_time(system, value):
    said = system.refused(date_and_time.configure, {"datetime.datetime": value}, live=True)
    assert "use year-month-day-hour-minute-second" in said


# --- NTP --------------------------------------------------------------------------------


def test_ntp_on_and_off(system):
    system.boot()
    system.service("chronyd")
    assert system.run(date_and_time.configure, {"datetime.ntp": "True"}, live=True) == [
        "enable chronyd",
        "start chronyd",
    ]
    assert system.run(date_and_time.configure, {"datetime.ntp": "False"}, live=True) == [
        "disable chronyd",
        "stop chronyd",
    ]


def test_ntp_of_an_image(system):
    system.tools("systemctl")
    system.service("systemd-timesyncd")
    assert system.run(date_and_time.configure, {"datetime.ntp": "True"}) == ["enable systemd-timesyncd"]


def test_all_that_keep_time_are_switched_off(system):
    system.boot()
    system.service("chrony", enabled=True, active=True)
    system.service("chronyd", enabled=True)  # another name of the same
    system.service("systemd-timesyncd", active=True)
    assert system.run(date_and_time.configure, {"datetime.ntp": "False"}, live=True) == [
        "disable chrony",
        "stop chrony",
        "stop systemd-timesyncd",
    ]


def test_the_one_that_is_in_use_is_kept(system):
    system.boot()
    system.service("chrony")
    system.service("systemd-timesyncd", enabled=True)
    assert system.run(date_and_time.configure, {"datetime.ntp": "True"}, live=True) == ["start systemd-timesyncd"]


def test_one_that_does_not_suit_the_machine_is_not_started_each_time(system):
    system.boot()
    system.service("chrony", enabled=True)
    system.write({"run/fake/unfit/chrony.service": ""})
    assert system.run(date_and_time.configure, {"datetime.ntp": "True"}, live=True) == []


def test_during_boot_nobody_waits_for_a_service_that_waits_for_us(system):
    system.boot()
    system.service("chrony", enabled=True)
    system.write({"run/fake/starting": ""})
    system.run(date_and_time.configure, {"datetime.ntp": "True"}, live=True)
    assert system.calls == [["systemctl", "--no-block", "start", "chrony.service"]]


@pytest.mark.parametrize("key, value", [("ntp", "True"), ("ntp-servers", "a"), ("ntp-local-time-source", "True")])
def test_there_is_no_ntp_service(system, zones, key, value):
    asked = {"datetime.timezone": "Europe/Oslo", "datetime." + key: value}
    said = system.refused(date_and_time.configure, asked)
    assert said == f"com.oracle.linux.datetime.{key} is given, and no NTP service is installed: chrony is one"


@pytest.mark.parametrize("key", ["ntp", "ntp-local-time-source"])
def test_without_an_ntp_service_it_is_off(system, key):
    assert system.run(date_and_time.configure, {"datetime." + key: "False"}) == []


@pytest.mark.parametrize("service, path", [("chronyd", "etc/chrony.conf"), ("chrony", "etc/chrony/chrony.conf")])
def test_servers_of_chrony(system, service, path):
    system.boot()
    system.service(service, enabled=True, active=True)
    system.write({path: CHRONY})
    asked = dict(SERVERS, **{"datetime.ntp-local-time-source": "True"})
    assert system.run(date_and_time.configure, asked, live=True) == [f"write /{path}", f"restart {service}"]
    assert system.read(path) == (
        "# our servers\nserver 192.0.2.1 iburst\nserver time.example.com iburst\n\ndriftfile /var/lib/chrony/drift\n"
        "#local stratum 10\nlocal stratum 10\n"
    )
    asked = {"datetime.ntp-local-time-source": "False"}
    assert system.run(date_and_time.configure, asked, live=True) == [f"write /{path}", f"restart {service}"]
    assert "\nlocal" not in system.read(path)


@pytest.mark.parametrize("service, path", [("ntpd", "etc/ntp.conf"), ("ntpsec", "etc/ntpsec/ntp.conf")])
def test_servers_of_ntpd(system, service, path):
    system.boot()
    system.service(service, enabled=True, active=True)
    system.write({path: "driftfile /x\nserver 0.rhel.pool.ntp.org iburst\nserver 1.rhel.pool.ntp.org\nkeys /k\n"})
    asked = dict(SERVERS, **{"datetime.ntp-local-time-source": "True", "datetime.ntp": "True"})
    assert system.run(date_and_time.configure, asked, live=True) == [f"write /{path}", f"restart {service}"]
    assert system.read(path) == (
        "driftfile /x\nserver 192.0.2.1 iburst\nserver time.example.com iburst\nkeys /k\n"
        "server 127.127.1.0\nfudge 127.127.1.0 stratum 10\n"
    )
    system.run(date_and_time.configure, {"datetime.ntp-local-time-source": "False"}, live=True)
    assert "127.127" not in system.read(path)


def test_servers_of_timesyncd(system):
    system.boot()
    system.service("systemd-timesyncd")
    asked = dict(SERVERS, **{"datetime.ntp": "True", "datetime.ntp-local-time-source": "False"})
    path = "etc/systemd/timesyncd.conf.d/ovm-template-config.conf"
    assert system.run(date_and_time.configure, asked, live=True) == [
        f"write /{path}",
        "enable systemd-timesyncd",
        "start systemd-timesyncd",
    ]
    assert system.read(path) == "[Time]\nNTP=192.0.2.1 time.example.com\n"
    said = system.refused(date_and_time.configure, {"datetime.ntp-local-time-source": "True"}, live=True)
    assert "which systemd-timesyncd cannot do" in said


def test_servers_of_a_service_that_shall_not_run(system):
    system.boot()
    system.service("chronyd", enabled=True, active=True)
    system.write({"etc/chrony.conf": CHRONY})
    assert system.run(date_and_time.configure, dict(SERVERS, **{"datetime.ntp": "False"}), live=True) == [
        "write /etc/chrony.conf",
        "disable chronyd",
        "stop chronyd",
    ]


def test_an_ntp_service_without_settings(system):
    system.tools("systemctl")
    system.service("chronyd")
    said = system.refused(date_and_time.configure, SERVERS)
    assert said == "there is no /etc/chrony.conf, where chronyd has its settings"


@pytest.mark.parametrize("servers", ["a b;c", "-x", "a,$(reboot)", "a/b"])
def test_what_is_no_server(system, servers):
    said = system.refused(date_and_time.configure, {"datetime.ntp-servers": servers})
    text = "com.oracle.linux.datetime.ntp-servers has what is no host name or address"
    assert said == text + ": give names or addresses, with commas"


def test_an_address_of_version_6(system):
    system.tools("systemctl")
    system.service("chronyd")
    system.write({"etc/chrony.conf": "pool x\n"})
    system.run(date_and_time.configure, {"datetime.ntp-servers": "2001:db8::1 ::1"})
    assert system.read("etc/chrony.conf") == "server 2001:db8::1 iburst\nserver ::1 iburst\n"
