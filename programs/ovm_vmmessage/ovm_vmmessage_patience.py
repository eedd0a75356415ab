# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Telling a person what is waited for, once that takes long. Standard output stays as the vendor's."""

import contextlib
import threading
import time

#: Seconds of silence before the first word, and between two.
FIRST, AGAIN = 5.0, 30.0


class Patience:
    """Says what is waited for.

    :param say: called with a line.
    :param bool wanted: whether anybody wants to know.
    :param float first: seconds of silence before the first word.
    :param float again: seconds between two.
    """

    def __init__(self, say, wanted, first=FIRST, again=AGAIN):
        self._say, self._wanted, self._first, self._again = say, wanted, first, again

    @contextlib.contextmanager
    def waiting(self, what):
        """For as long as this context lasts, it is waited for that.

        :param str what: ends the sentence "waiting for".
        """
        if not self._wanted:
            yield
            return
        end = threading.Event()
        teller = threading.Thread(target=self._tell, args=(what, end), daemon=True)
        teller.start()
        try:
            yield
        finally:
            end.set()
            teller.join()

    def _tell(self, what, end):
        started, pause = time.monotonic(), self._first
        while not end.wait(pause):
            self._say("waiting for %s, for %d seconds so far" % (what, time.monotonic() - started))
            pause = self._again
