# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What becomes of messages when a guest goes on as another domain, and when it is cut off in their midst.

All of it under load: writers in the guest send to a host that collects, and a sender in dom0 sends to the guest,
whose daemon receives.
"""

import signal
import uuid

import pytest

from lab.xen.agent import Agent

NAME, UUID = "lives", str(uuid.UUID(int=0x5EED))
WRITERS = 3
#: Messages before something happens, and after it.
SOME = 15
#: Seconds that anything may take on a machine under load.
LONG = 300.0
#: The daemon tells of these. It would tell of each parameter as well.
REPORTS = "--reports=guest,addresses"
#: In a file system that dom0 has room in.
SAVED = "/dev/shm/lives-saved"


class Traffic:
    """A guest, messages both ways, and what is known of them.

    :param Host host: where the guest is.
    :param Agent dom0: in its dom0.
    :param str folder: the message store's.
    """

    def __init__(self, host, dom0, folder):
        self._host, self._dom0, self._folder = host, dom0, folder
        self.domain = self.guest = None
        self.problems = None
        dom0("collecting.start", directory=folder)

    def close(self):
        if self.guest:
            self.guest.close()
        self.dom0("close")
        if self.problems is None:
            self._dom0("collecting.stop", directory=self._folder)

    def dom0(self, function, /, **arguments):
        """Call a function of lives_host about this guest."""
        return self._dom0("lives_host." + function, LONG + 10, directory=self._folder, name=NAME, **arguments)

    def xl(self, *arguments):
        """Run xl; gives when it began and ended, by the clock of messages."""
        began, ended, code, said = self._dom0("lives_host.xl", LONG, arguments=arguments)
        assert code == 0, said
        return began, ended

    def begin(self, life):
        """Have the guest, in a new life, receive and send; returns when it does."""
        self.guest = Agent.on(NAME, self.domain.shell)
        daemon = self.guest("lives_guest.start_daemon", options=[REPORTS])
        self.guest("lives_guest.start_taking")
        self.guest("lives_guest.start_writers", count=WRITERS, life=life)
        self.flow(life)
        return daemon

    def cut_off(self):
        """The guest is gone, with all that ran there."""
        self.guest.close()
        self.guest = None

    def flow(self, life):
        """Wait until more messages have come from the guest, and more have gone there."""
        had = self.dom0("count", key=life + ".")
        sent = self.dom0("sent")
        found = self.stored_in_time(life, had + SOME)
        assert found >= had + SOME, "only %d messages came from the guest after %d" % (found, had)
        went = self.dom0("wait_for_sent", count=sent + SOME, timeout=LONG)
        assert went >= sent + SOME, "only %d messages went to the guest after %d" % (went, sent)

    def end(self, life):
        """End the senders of both sides, and wait until all has arrived that still does.

        :returns: how many messages each writer has sent; what was said of each message to the guest; the numbers of
            those that the guest has taken, in order.
        """
        written = self.guest("lives_guest.stop_writers", LONG)
        assert [writer["problems"] for writer in written] == [[]] * WRITERS
        told = self.dom0("stop_sending")
        last = max(number for number, outcome, _began, _ended in told if outcome == "sent")
        all_taken = self.guest("lives_guest.wait_until_taken", LONG + 10, number=last, timeout=LONG)
        taken, wrong = self.guest("lives_guest.stop_taking", LONG)
        assert (all_taken, wrong) == (True, [])
        sent = [writer["sent"] for writer in written]
        assert self.stored_in_time(life, sum(sent)) == sum(sent)
        self.problems = self._dom0("collecting.stop", directory=self._folder)["problems"]
        assert self.problems == []
        return sent, told, taken

    def stored_in_time(self, life, count):
        """Wait until so many messages of a life are stored; gives how many."""
        return self._dom0(
            "collecting.wait_for",
            LONG + 10,
            directory=self._folder,
            name=NAME,
            count=count,
            keys=life + ".",
            timeout=LONG,
        )

    def stored(self, life):
        """What is stored of a life: for each writer the numbers of its messages, in order."""
        stored = self.dom0("stored")
        keys = ["%s.%d" % (life, writer) for writer in range(WRITERS)]
        return [[number for key, number, _when in stored if key == wanted] for wanted in keys]

    def goes_on(self, before):
        """When, by the times of messages, the first one came that the guest has sent after a moment."""
        return next(when for _key, _number, when in self.dom0("stored") if when > before)

    def close_daemon(self, daemon):
        """End the daemon in good order; nothing of its list is left for the next test."""
        assert self.guest("lives_guest.end_daemon", pid=daemon, number=signal.SIGTERM) == 0
        log = self.guest("lives_guest.daemon_log")
        assert "defect" not in log
        self.guest("lives_guest.clean_up")
        return log


class Life:
    """The guest, which is made anew where a test has not left it in order."""

    def __init__(self, host):
        self._host, self.domain, self.in_order = host, None, False

    def begin(self, kind="pv"):
        if not self.in_order or not self.domain.alive() or self.domain.kind != kind:
            self.destroy()
            self.create(kind)
        self.in_order = False
        return self.domain

    def create(self, kind="pv"):
        self.domain = self._host.create(NAME, kind, on_crash="restart", uuid=UUID)

    def destroy(self):
        if self.domain:
            self.domain.shell.close()
        self._host.destroy(NAME)


@pytest.fixture(scope="module")
def life(xen_host):
    made = Life(xen_host)
    yield made
    made.destroy()


@pytest.fixture
def traffic(request, life, xen_host, dom0_agent, folder):
    domain = life.begin(getattr(request, "param", "pv"))
    made = Traffic(xen_host, dom0_agent, folder)
    made.domain = domain
    try:
        yield made
    finally:
        made.close()


def lost(told, taken):
    """The numbers of messages that were told to be sent and never arrived."""
    return sorted({number for number, outcome, _began, _ended in told if outcome == "sent"} - set(taken))


def check_order(told, taken):
    """What has arrived was sent, came once, and in order."""
    assert taken == sorted(set(taken))
    assert set(taken) <= {number for number, outcome, _began, _ended in told if outcome == "sent"}


def check_reports(traffic, boot, since, figure, what):
    """The guest has told all of it again, as the one that it was."""
    for key in ("guest", "addresses"):
        again = [(value, when) for value, when in traffic.dom0("reports", key=key) if when > since]
        assert again, "no report of %s came after it" % key
        assert {value["boot"] for value, _when in again if "boot" in value} <= {boot}
        figure("%s until the report of %s" % (what, key), again[0][1] - since, "s")


def test_senders_that_signals_end_leave_a_guest_that_can_be_suspended(life, xen_host, dom0_agent, agent_of):
    """Linux hangs there when a process has ended in the midst of a transaction; see docs/explanation/protocol.md."""
    domain = life.begin()
    domid = domain.domid
    dom0_agent("lives_host.prepare", domid=domid)
    guest = agent_of(domain)
    for number in (signal.SIGTERM, signal.SIGINT):
        assert guest("lives_guest.end_senders", times=6, number=number) == [-number] * 6
    xen_host.xl("save", "-c", NAME, SAVED)
    xen_host.shell.run("rm", SAVED)
    # A checkpoint: the same domain goes on.
    assert domain.domid == domid and guest("lives_guest.life")
    life.in_order = True


def test_pause_save_and_restore(life, traffic, xen_host, figure):
    traffic.dom0("start_sending")
    daemon = traffic.begin("saved")
    boot, old = traffic.guest("lives_guest.life"), traffic.domain.domid
    traffic.domain.pause()
    # The sender stops for so many that wait.
    assert traffic.dom0("wait_until_waiting", domid=old, timeout=LONG), traffic.dom0("counters", domid=old)
    traffic.domain.unpause()
    traffic.flow("saved")
    began, ended = traffic.xl("save", NAME, SAVED)
    figure("xl save of a PV guest under load", ended - began, "s")
    assert traffic.dom0("wait_until_stopped", timeout=LONG), traffic.dom0("known")
    stored = traffic.dom0("count", key="")
    restoring, restored = traffic.xl("restore", SAVED)
    figure("xl restore", restored - restoring, "s")
    xen_host.shell.run("rm", SAVED)
    new = traffic.domain.domid
    assert new != old
    traffic.flow("saved")
    sent, told, taken = traffic.end("saved")
    figure("from xl restore to the first message", traffic.goes_on(restoring) - restoring, "s")
    assert traffic.stored("saved") == [list(range(count)) for count in sent]
    # Numbers begin anew: the last one counts what was stored since, and nothing that was before.
    last, waiting = traffic.dom0("counters", domid=new)["from"]
    assert (last, waiting) == (traffic.dom0("count", key="") - stored, [])
    check_order(told, taken)
    # What is sent to a guest that is suspended already goes with its old domain; see docs/explanation/vm-messages.md.
    gone = lost(told, taken)
    assert gone == list(range(gone[0], gone[-1] + 1)) if gone else True
    assert all(when < restored for number, _outcome, when, _ended in told if number in gone)
    figure("messages to it that went with its old domain", len(gone), "")
    check_reports(traffic, boot, restoring, figure, "from xl restore")
    assert traffic.dom0("known") == [["RUNNING", new]]
    traffic.close_daemon(daemon)
    life.in_order = True


def test_a_guest_that_is_cut_off_in_the_midst_of_messages(life, traffic, xen_host):
    """Again and again: by a crash, by xl destroy, by a reboot that ends no process before."""
    traffic.dom0("start_sending")
    traffic.begin("0")
    boots, domids, cuts, firsts = [traffic.guest("lives_guest.life")], [traffic.domain.domid], [], []
    for number, how in enumerate(("crash", "destroy", "reboot"), 1):
        cuts.append(traffic.dom0("clock"))
        if how == "destroy":
            traffic.domain.destroy()
            traffic.cut_off()
            life.create()
            traffic.domain = life.domain
        else:
            xen_host.xl("sysrq", NAME, {"crash": "c", "reboot": "b"}[how])
            traffic.cut_off()
            traffic.domain.wait_other(domids[-1])
        daemon = traffic.begin("%d" % number)
        boots.append(traffic.guest("lives_guest.life"))
        domids.append(traffic.domain.domid)
        firsts.append(traffic.guest("lives_guest.first_taken"))
    sent, told, taken = traffic.end("3")
    assert len(set(boots)) == len(set(domids)) == 4
    assert traffic.stored("3") == [list(range(count)) for count in sent]
    # Of lives that were cut off there is what the host had collected: from the first one on, once, whole, in order.
    for number in range(3):
        for numbers in traffic.stored("%d" % number):
            assert numbers and numbers == list(range(len(numbers))), "life %d" % number
    # Numbers begin anew with each life.
    last, waiting = traffic.dom0("counters", domid=domids[-1])["from"]
    assert (last, waiting) == (traffic.dom0("since", boot=boots[-1]), [])
    # Nothing that was sent to one life comes to the next, and all that is sent to the next does.
    for first, cut in zip(firsts, cuts):
        assert all(ended > cut for number, _outcome, _began, ended in told if number == first)
    check_order(told, taken)
    assert taken[0] == firsts[-1] and [number for number in lost(told, taken) if number > taken[0]] == []
    assert {outcome.partition(":")[0] for _number, outcome, _began, _ended in told} <= {"sent", "VmNotRunning"}
    assert traffic.dom0("known") == [["RUNNING", domids[-1]]]
    assert traffic.dom0("troubles") == []
    traffic.close_daemon(daemon)
    life.in_order = True


# Debian's Xen does not migrate PV guests while they run.
@pytest.mark.parametrize("traffic", ["pvh"], indirect=True)
def test_migration(life, traffic, figure):
    """To this same host, so that for a while there are two domains of one virtual machine."""
    traffic.dom0("start_sending")
    daemon = traffic.begin("moved")
    boot, old = traffic.guest("lives_guest.life"), traffic.domain.domid
    began, ended = traffic.xl("migrate", "-s", "", NAME, "xl migrate-receive")
    figure("xl migrate of a PVH guest under load", ended - began, "s")
    new = traffic.domain.domid
    assert new != old
    traffic.flow("moved")
    sent, told, taken = traffic.end("moved")
    assert traffic.stored("moved") == [list(range(count)) for count in sent]
    check_order(told, taken)
    assert lost(told, taken) == []
    assert [outcome for _number, outcome, _began, _ended in told if outcome != "sent"] == []
    last, waiting = traffic.dom0("counters", domid=new)["from"]
    assert last < traffic.dom0("count", key="") and waiting == []
    check_reports(traffic, boot, began, figure, "from xl migrate")
    assert traffic.dom0("known") == [["RUNNING", new]]
    traffic.close_daemon(daemon)
    life.in_order = True
