# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a process holds while it works, and whether that stays as it is."""

import os
import re
import statistics
from collections import namedtuple

from bench.measure import slope

#: Bytes a message by which a process may grow: a leak is at least what a message takes, a kilobyte or so.
PER_MESSAGE = 512
#: Bytes by which it may grow in all, however long it works.
IN_ALL = 4 << 20
#: Messages below which nothing can be told: an allocator takes memory in pieces of a megabyte.
FEWEST = 1024
#: Samples below which nothing can be told.
FEWEST_SAMPLES = 12


class Sample(namedtuple("Sample", ("messages", "resident", "proportional", "descriptors"))):
    """A process at one moment.

    :ivar int messages: that had gone through it so far.
    :ivar int resident: bytes of memory, those that it shares with others too.
    :ivar int proportional: likewise, but of what is shared only its share.
    :ivar int descriptors: that it had open.
    """

    __slots__ = ()


class Verdict(namedtuple("Verdict", ("problem", "growth", "bound", "first", "last"))):
    """Whether a process is flat.

    :ivar str problem: what it is that grows; empty where nothing does.
    :ivar int growth: bytes that the fitted line rises by from the first sample to the last.
    :ivar int bound: what that may be at most.
    :ivar Sample first: the medians of the first quarter.
    :ivar Sample last: those of the last quarter.
    """

    __slots__ = ()


class Watched:
    """A process that is looked at now and then.

    :param str name: what to call it.
    :param int pid: its number.
    :ivar list samples: what was seen.
    """

    def __init__(self, name, pid):
        self.name, self.pid, self.samples = name, pid, []

    def look(self, messages):
        """Take a sample.

        :param int messages: that have gone through the process so far.
        """
        with open("/proc/%d/smaps_rollup" % self.pid, encoding="ascii", errors="replace") as source:
            found = dict(re.findall(r"^(Rss|Pss):\s+(\d+) kB$", source.read(), re.MULTILINE))
        descriptors = len(os.listdir("/proc/%d/fd" % self.pid))
        self.samples.append(Sample(messages, int(found["Rss"]) << 10, int(found["Pss"]) << 10, descriptors))


def enough(samples):
    """Whether something can be told of a process by these samples."""
    return len(samples) >= FEWEST_SAMPLES and samples[-1].messages - samples[0].messages >= FEWEST


def judge(samples):
    """Tell whether a process is flat over some samples.

    Memory is judged by the slope of a line through all samples, descriptors by the medians of
    the first and the last quarter: one that stays behind is one too many.

    :param samples: of a time in which the process had its usual work, and all that it keeps.
    :rtype: Verdict
    """
    if not enough(samples):
        messages = samples[-1].messages - samples[0].messages if samples else 0
        text = "%d samples over %d messages tell nothing: at least %d and %d are needed" % (
            *(len(samples), messages),
            *(FEWEST_SAMPLES, FEWEST),
        )
        return Verdict(text, 0, 0, None, None)
    quarter = len(samples) // 4
    first, last = _middle(samples[:quarter]), _middle(samples[-quarter:])
    messages = samples[-1].messages - samples[0].messages
    growth = round(slope([(sample.messages, sample.resident) for sample in samples]) * messages)
    bound = min(IN_ALL, PER_MESSAGE * messages)
    problems = []
    if growth > bound:
        problems.append("memory grows: %d bytes a message" % round(growth / messages))
    if last.descriptors > first.descriptors:
        problems.append("descriptors grow: from %d to %d" % (first.descriptors, last.descriptors))
    return Verdict("; ".join(problems), growth, bound, first, last)


def _middle(samples):
    return Sample(*(int(statistics.median_low(column)) for column in zip(*samples)))
