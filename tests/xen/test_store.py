# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a guest that means harm can do to the host and to other guests: next to nothing."""

from ansible_collections.ovm.messaging.plugins.module_utils.host.message_store import TROUBLE
from lab.xen.figures import share
from lab.xen.machine import wait_until

#: Seconds that something may take on a machine under load.
LONG = 300.0
#: How a guest floods; see programs/flooding.py.
FLOODS = {
    "messages": ["messages", "messages", "large"],
    "news of nothing": ["counter", "counter"],
    "malformed messages": ["junk", "junk"],
    "watches and transactions": ["elsewhere", "transactions"],
}
#: Answers that another guest waits for meanwhile.
ROUNDS = 15
#: Kilobytes that whoever collects may need for it.
MEMORY = 32 * 1024
#: What is refused to read is refused to change, too.
READING = ("READ", "DIRECTORY", "GET_PERMS", "DIRECTORY_PART")
#: Trees that are not the guest's; its own reads of /vm are of its own part only.
FOREIGN = ("/local/domain/0", "/vm", "/libxl", "/tool")


def deeds_on(path):
    """All that can be asked of a node, as trespassing.attempt() takes it: reading, changing."""
    reading = [[operation, path] + ["0"] * (operation == "DIRECTORY_PART") for operation in READING]
    below = path.rstrip("/") + "/evil"
    changing = [
        ["WRITE", path, "evil"],
        ["WRITE", below, "evil"],
        ["MKDIR", below],
        ["SET_PERMS", path, "b1"],
        ["RM", path],
    ]
    return reading, changing


def trees(xen_host, domid):
    """What nobody but the host and its toolstack may change, and another guest's part."""
    return {path: xen_host.store.tree(path) for path in (*FOREIGN, "/local/domain/%d" % domid)}


def test_a_guest_reaches_nothing_but_its_own(guests, xen_host, prepared, dom0_agent, agent_of, folder):
    bad, good = guests["pv"], guests["pvh"]
    me, other = prepared(bad), prepared(good)
    dom0_agent("collecting.start", directory=folder, answering=good.name)
    before = trees(xen_host, other)
    own_vm = xen_host.store.read("/local/domain/%d/vm" % me).decode()
    other_vm = xen_host.store.read("/local/domain/%d/vm" % other).decode()
    agent = agent_of(bad)

    theirs = ["/", "/local", "/local/domain", "/local/domain/0", "/local/domain/0/name", "/nothing/there"]
    theirs += ["/local/domain/%d%s" % (other, part) for part in ("", "/name", "/control/oracle-vmapi", "/data")]
    theirs += ["/local/domain/%d/control/oracle-vmapi/%s" % (other, part) for part in ("to-guest", "from-guest/1")]
    theirs += ["/vm", other_vm, other_vm + "/name", "/libxl", "/libxl/%d" % me, "/tool", "/tool/xenstored"]
    deeds = [deed for path in theirs for kind in deeds_on(path) for deed in kind]
    assert unexpected(deeds, agent("trespassing.attempt", deeds=deeds), "EACCES") == []

    # What the toolstack tells it of itself it may read.
    told = ["name", "domid", "vm", "memory/target", "control", own_vm, own_vm + "/uuid"]
    reading = [deed for path in told for deed in deeds_on(path)[0]]
    assert unexpected(reading, agent("trespassing.attempt", deeds=reading), "done") == []
    changing = [deed for path in told for deed in deeds_on(path)[1]]
    assert unexpected(changing, agent("trespassing.attempt", deeds=changing), "EACCES") == []

    # Its channel is its own, but it cannot give it away; what only the host does, it cannot do either.
    channel = "control/oracle-vmapi"
    giving = [["SET_PERMS", channel + part, "n%d" % to] for part in ("", "/from-guest") for to in (0, other)]
    assert unexpected(giving, agent("trespassing.attempt", deeds=giving), "EPERM") == []
    ruling = [
        ["INTRODUCE", "77", "1", "1"],
        ["INTRODUCE", str(other), "1", "1"],
        ["RELEASE", str(other)],
        ["RESUME", str(other)],
        ["SET_TARGET", str(me), str(other)],
        ["IS_DOMAIN_INTRODUCED", str(other)],
        ["DEBUG", "print", "x"],
    ]
    assert unexpected(ruling, agent("trespassing.attempt", deeds=ruling), "EACCES") == []
    senseless = [["WRITE", "@releaseDomain", "x"], ["SET_PERMS", "@releaseDomain", "b%d" % me]]
    senseless += [["READ", "/local/domain/%d/../0/name" % me], ["READ", "name//x"], ["WRITE", "data/" + "x" * 3000, ""]]
    assert unexpected(senseless, agent("trespassing.attempt", deeds=senseless), "EINVAL") == []

    assert trees(xen_host, other) == before
    # Nobody has noticed anything.
    assert len(agent_of(good)("asking.guest", count=3)) == 3
    assert dom0_agent("collecting.stop", directory=folder)["problems"] == []
    for guest in (bad, good):
        assert TROUBLE not in [
            kind for kind, _text in dom0_agent("collecting.events", directory=folder, name=guest.name)
        ]


def unexpected(deeds, outcomes, expected):
    """The deeds that had another outcome."""
    assert len(deeds) == len(outcomes)
    return [(deed, outcome) for deed, outcome in zip(deeds, outcomes) if outcome != expected]


def test_a_guest_hears_nothing_of_others(guests, xen_host, prepared, make_domain, agent_of):
    curious = guests["pv"]
    home = "/local/domain/%d" % prepared(curious)
    other = "/local/domain/%d" % prepared(guests["pvh"])
    paths = ["@introduceDomain", "@releaseDomain", "/local/domain", "/local/domain/0", "/vm", "/libxl", other]
    listening = agent_of(curious).begin("trespassing.listen", paths=paths, end="data/end")
    wait_until(lambda: xen_host.store.read(home + "/data/listening"), LONG, "the guest listens")
    # A domain comes and goes, and there is news of another.
    short = make_domain(wait=False)
    short.destroy()
    for path in (other + "/data/news", "/local/domain/0/news"):
        xen_host.store.write(path, b"1")
        xen_host.store.remove(path)
    xen_host.store.write(home + "/data/end", b"1")
    heard, refused = listening(LONG)
    assert [path for path in heard if not path.startswith((home + "/data/", "data/"))] == []
    assert refused == {} and "data/end" in heard
    for name in ("listening", "end"):
        xen_host.store.remove(home + "/data/" + name)


def test_a_guest_that_floods(guests, make_domain, prepared, dom0_agent, agent_of, folder, figure):
    """Others still get their answers, the host keeps to its memory, and when it is over all is as before."""
    bad, good = make_domain("flood"), guests["pv"]
    prepared(bad)
    dom0_agent("collecting.start", directory=folder, answering=good.name)
    asking, flooding = agent_of(good), agent_of(bad)
    calm = share(asking("asking.guest", LONG, count=ROUNDS), 50)
    for name, ways in FLOODS.items():
        flooding("flooding.start", ways=ways)
        # Each of them is bounded: asking fails where an answer takes too long.
        times = asking("asking.guest", LONG, count=ROUNDS)
        done = flooding("flooding.stop", LONG)
        assert all(rounds > 1 for _way, rounds in done), done
        figure("answer beside a guest that floods with %s, of that without" % name, share(times, 50) / calm, "x")
    flooding("flooding.calm", LONG)
    came = dom0_agent(
        "collecting.wait_for", LONG + 10, directory=folder, name=bad.name, count=1, keys="after the flood", timeout=LONG
    )
    assert came == 1
    after = share(asking("asking.guest", LONG, count=ROUNDS), 50)
    figure("answer after the floods, of that before", after / calm, "x")
    had = dom0_agent("collecting.stop", directory=folder)
    assert had["problems"] == []
    figure("memory of what collects, at most", had["most"] / 1024, "MiB")
    figure("of that, by floods", (had["most"] - had["begin"]) / 1024, "MiB")
    assert had["most"] - had["begin"] < MEMORY
