# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The least that a client of the gateway can do."""

import base64
import http.client
import json
import ssl
import time

from ansible_collections.ovm.messaging.plugins.module_utils.manager.dialect import Dialect

#: Seconds after which a connection may be about to be closed by the other side.
_IDLE = 30


class Refused(SystemExit):
    """An answer that is none; ``status`` says which."""

    def __init__(self, status, text):
        super().__init__(text)
        self.status = status


class Rest:
    """One connection and one login, ready-made requests, answers read and nothing done with them.

    :param Gateway gateway: a running gateway of the lab.
    """

    def __init__(self, gateway):
        self.dialect, self._used = Dialect(), time.monotonic()
        context = ssl.create_default_context(cafile=gateway.ca)
        self.connection = http.client.HTTPSConnection(gateway.host, gateway.port, context=context, timeout=60)
        login = base64.b64encode(("%s:%s" % (gateway.username, gateway.password)).encode()).decode()
        self.headers = {"Accept": "application/json", "Authorization": "Basic " + login}
        self.headers["Cookie"] = self.ask("GET", "/Manager")[0].partition(";")[0]
        del self.headers["Authorization"]

    def close(self):
        self.connection.close()

    def ask(self, method, path, body=None):
        """:returns: the cookie that was set, if any, and the decoded body."""
        if time.monotonic() - self._used > _IDLE:
            self.connection.close()  # the next request opens it again
        headers = dict(self.headers, **{"Content-Type": "application/json"} if body else {})
        self.connection.request(method, self.dialect.base_path + path, body, headers)
        answer = self.connection.getresponse()
        content = answer.read()
        self._used = time.monotonic()
        if answer.status != 200:
            raise Refused(answer.status, "%s %s: %d %s" % (method, path, answer.status, content[:200]))
        return answer.getheader("Set-Cookie", ""), json.loads(content)

    def received(self, vm):
        """:returns: the messages that a virtual machine has sent, as the gateway has them, oldest first."""
        query = "%s=%s" % (self.dialect.direction_parameter, self.dialect.received)
        return self.ask("GET", "/Vm/%s/messages?%s" % (vm, query))[1]

    def send(self, vm, messages):
        """Send messages to a virtual machine, a dict of text.

        :returns: the job.
        """
        body = json.dumps([{"key": key, "value": value} for key, value in messages.items()])
        return self.ask("PUT", "/Vm/%s/sendMessage?logFlag=Yes" % vm, body)[1]
