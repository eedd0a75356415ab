# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A small manager over real TLS, which answers as it is told.

It is there for the answers that no real manager gives on demand. The gateway itself is what
tests/integration uses.
"""

import base64
import collections
import contextlib
import http.server
import json
import socketserver
import ssl
import threading
import urllib.parse

BASE = "/ovm/core/wsapi/rest/"
VM = "0004fb00000600006f8e65a5d245ea0c"
#: 2026-01-01T00:00:00Z
NOW = 1767225600.0
PAGE = b"<html><head><title>x</title><style>b {}</style></head><body><b>Service\x07</b> page</body></html>"


def simple_id(value, kind="Vm"):
    return {"type": "com.oracle.ovm.mgr.ws.model." + kind, "value": value, "uri": "https://elsewhere/", "name": None}


def job(summary_done=True, state="SUCCESS", error=None, **more):
    """A job, number 7 unless told otherwise."""
    found = {"id": simple_id("7", "Job"), "done": True, "summaryDone": summary_done, "jobSummaryState": state}
    return dict(found, jobRunState="SUCCESS", error=error, childJobIds=[], **more)


def refusal(code, message="it may not be"):
    """The body of an error."""
    return {"message": "%s:%s" % (code, message), "errorCode": code, "cause": None, "wsErrorCode": "GENERAL"}


class Reply:
    """What the server says.

    :param body: bytes as they are, else something that becomes JSON.
    :param cut: how many bytes of the body to send before the connection is cut; -1 cuts it before the head.
    :param drip: an Event that is set when no more of the head, which has no end, is to come.
    """

    def __init__(self, body, status=200, headers=(), cut=None, drip=None):
        self.body = body if isinstance(body, bytes) else json.dumps(body).encode("ascii")
        self.status, self.headers, self.cut, self.drip = status, dict(headers), cut, drip


Seen = collections.namedtuple("Seen", "method path query headers body")


class Server:
    """The manager.

    :ivar list seen: of Seen: all requests in their order.
    :ivar int connections: how many TLS connections there were.
    :ivar sessions: the live ones.
    :ivar int logins: how often somebody came with a password.
    """

    def __init__(self, certificate, clients=None, tls=None):
        self._lock = threading.Lock()
        self._scripts = {}
        self.seen, self.connections, self.logins, self.sessions = [], 0, 0, set()
        self.username, self.password, self.cookies, self.wrong = "admin", "hunter2-password", True, Reply(PAGE, 401)
        self.gate = None
        self.say("GET", "Manager", [{"managerRunState": "RUNNING", "managerTime": int(NOW * 1000)}])
        self.say("GET", "Vm", [{"id": simple_id(VM), "name": "web", "vmRunState": "RUNNING"}])
        self.say("GET", "Vm/" + VM, {"id": simple_id(VM), "name": "web", "vmRunState": "RUNNING"})
        self.say("PUT", "Vm/%s/sendMessage" % VM, job())
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        certificate.configure_cert(self._context)
        if tls:
            self._context.maximum_version = tls
        if clients:
            clients.configure_trust(self._context)
            self._context.verify_mode = ssl.CERT_REQUIRED
            self.username = None
        outer = self

        class Handler(_Handler):
            server_of_test = outer

        self._server = _Threads(("127.0.0.1", 0), Handler)
        self.port = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)
        self._thread.start()

    def close(self):
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def say(self, method, path, *replies):
        """Answer requests like this with each of these in turn, and then with the last for ever."""
        replies = [reply if isinstance(reply, Reply) else Reply(reply) for reply in replies]
        self._scripts[method, path] = collections.deque(replies)

    def bodies(self):
        """What was sent, as decoded from JSON."""
        return [json.loads(seen.body) for seen in self.seen if seen.method == "PUT"]

    def count(self, method, path):
        return sum(seen[:2] == (method, path) for seen in self.seen)

    # In the threads of the server

    def wrapped(self, connection):
        found = self._context.wrap_socket(connection, server_side=True)
        with self._lock:
            self.connections += 1
        return found

    def answer(self, seen):
        with self._lock:
            self.seen.append(seen)
            refused = self._refused(seen)
            if refused:
                return refused
            script = self._scripts.get((seen.method, seen.path), [Reply(refusal("GEN_000003"), 400)])
            return script.popleft() if len(script) > 1 else script[0]

    def _refused(self, seen):
        """What a client hears that may not come in; None where it may."""
        if self.username is None:
            return None
        if seen.headers.get("Authorization"):
            self.logins += 1
            expected = base64.b64encode(("%s:%s" % (self.username, self.password)).encode()).decode()
            if seen.headers["Authorization"] != "Basic " + expected:
                return self.wrong
            self.sessions.add("s%d" % self.logins)
            return None
        return None if seen.headers.get("Cookie", "").partition("=")[2] in self.sessions else self.wrong

    def cookie(self, seen):
        return (
            "JSESSIONID=s%d; Path=/ovm; Secure; HttpOnly" % self.logins if seen.headers.get("Authorization") else None
        )


class _Threads(socketserver.ThreadingTCPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 64

    def handle_error(self, request, client_address):
        pass


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 60

    def setup(self):
        self.request = self.server_of_test.wrapped(self.request)
        super().setup()

    def log_message(self, *_args):
        pass

    def do_GET(self):
        server = self.server_of_test
        parts = urllib.parse.urlsplit(self.path)
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        path = parts.path[len(BASE) :] if parts.path.startswith(BASE) else parts.path
        seen = Seen(self.command, path, parts.query, self.headers, body)
        reply = server.answer(seen)
        if server.gate:
            server.gate(seen)
        if reply.cut == -1:
            self._cut()
            return
        if reply.drip:
            self.wfile.write(b"HTTP/1.1 200 OK\r\nX-Long: ")
            with contextlib.suppress(OSError):
                while not reply.drip.wait(0.05):
                    self.wfile.write(b"x")
            self.close_connection = True
            return
        self.send_response(reply.status)
        if server.cookies and server.cookie(seen) and reply.status != 401:
            self.send_header("Set-Cookie", server.cookie(seen))
        for header in dict({"Content-Type": "application/json"}, **reply.headers).items():
            self.send_header(*header)
        self.send_header("Content-Length", str(len(reply.body)))
        self.end_headers()
        self.wfile.write(reply.body[: reply.cut])
        self.wfile.flush()
        if reply.cut is not None:
            self._cut()

    do_PUT = do_GET

    def _cut(self):
        self.close_connection = True
        with contextlib.suppress(OSError):
            self.connection.shutdown(2)
