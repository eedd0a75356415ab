# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: BSD-2-Clause
"""XenStore for a host, which asks for much at once."""

import time

from ..channel.errors import ConnectionLost, NotFound, TooBig, XenStoreError
from ..channel.xenstore import Op, XenStore, _Held, split_names

# So many requests are sent before the first answer is read: some kilobytes.
_AT_ONCE = 64


class BatchingXenStore(XenStore):
    """A connection on which no request of a batch waits for the answer to the one before it.

    Only to xenstored itself. By way of Linux requests go one by one: of two in flight, it may lose one that was
    acknowledged.
    """

    def read_together(self, wanted: "list[tuple[bytes, bool]]") -> list:
        if self._device:
            return super().read_together(wanted)
        requests = [(Op.DIRECTORY if names else Op.READ, path) for path, names in wanted]
        found = []  # type: list
        for (path, names), answer in zip(wanted, self._together(requests)):
            if isinstance(answer, TooBig):
                answer = self.directory(path)
            elif isinstance(answer, NotFound):
                answer = None
            elif isinstance(answer, XenStoreError):
                raise answer
            elif names:
                answer = split_names(answer)
            found.append(answer)
        return found

    def remove_together(self, paths: "list[bytes]") -> None:
        if self._device:
            super().remove_together(paths)
            return
        for answer in self._together([(Op.RM, path) for path in paths]):
            if isinstance(answer, XenStoreError) and not isinstance(answer, NotFound):
                raise answer

    def _together(self, requests):
        """Requests, each of a path alone: the payload of each answer, or the error that it is."""
        answers = []  # type: list
        while len(answers) < len(requests):
            some = requests[len(answers) : len(answers) + _AT_ONCE]
            deadline = self._deadline()
            with _Held(self, deadline):
                while True:
                    if self._fd < 0:
                        self._reconnect(deadline)
                    try:
                        found = self._exchange_together(some, deadline)
                        break
                    except ConnectionLost:
                        # What changes something may have been taken in part.
                        if any(op == Op.RM for op, _path in some) or time.monotonic() >= deadline:
                            raise
            for (op, path), (kind, answer) in zip(some, found):
                answers.append(self._refusal(op, (path,), answer.rstrip(b"\0")) if kind == Op.ERROR else answer)
        return answers

    def _exchange_together(self, requests, deadline):
        first = self._request_id + 1
        data = b"".join([self._packet(op, path + b"\0", 0) for op, path in requests])
        try:
            self._send(data, deadline)
        except ConnectionLost:
            self._disconnect()
            raise
        # Each has its time, counted from the answer before it.
        return [
            self._answer(op, (first + number) & 0xFFFFFFFF, self._deadline())
            for number, (op, _path) in enumerate(requests)
        ]
