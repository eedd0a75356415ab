# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: BSD-2-Clause
"""Where a manager is, who logs in, and whom to trust: options, checked before anything is sent."""

import os
import re
import ssl

from .errors import BadConnection, printable

#: Where managers listen.
PORT = 7002


class Connection:
    """How to reach one manager. Its repr shows no secret.

    :param str host: name, IPv4 or IPv6 address.
    :param int port: its port.
    :param username: who logs in; not needed with a client certificate.
    :param password: of that user.
    :param client_cert: file with the client's certificate, PEM, perhaps with its key.
    :param client_key: file with its key, PEM, without a passphrase.
    :param ca_path: file (PEM) or folder (``c_rehash``) of certificates to trust, instead of the usual ones.
    :param bool validate_certs: verify the manager's certificate.
    :param float connect_timeout: seconds to wait for a connection.
    :param float timeout: seconds that an answer may take, from the end of the request to its own.
    :param int retries: how often to repeat what failed and can be repeated.
    :param int pool: connections at once, at most.
    :raises BadConnection: an option makes no sense, or a file cannot be used.
    """

    def __init__(
        self,
        host: str,
        port: int = PORT,
        username: "str | None" = None,
        password: "str | None" = None,
        client_cert: "str | None" = None,
        client_key: "str | None" = None,
        ca_path: "str | None" = None,
        validate_certs: bool = True,
        connect_timeout: float = 10.0,
        timeout: float = 60.0,
        retries: int = 4,
        pool: int = 10,
    ) -> None:
        self.host, self.port = _host(host or ""), port
        self.username, self.password = username, password
        self.client_cert, self.client_key = client_cert or None, client_key or None
        self.ca_path, self.validate_certs = ca_path or None, validate_certs
        self.connect_timeout, self.timeout = connect_timeout, timeout
        self.retries, self.pool = retries, pool
        self._check_numbers()
        self._check_login()
        self._check_files()

    def __repr__(self):
        return "Connection(%s, username=%r)" % (self.address, self.username)

    @property
    def address(self) -> str:
        """``HOST:PORT``, as in a URL."""
        return "%s:%d" % ("[%s]" % self.host if ":" in self.host else self.host, self.port)

    def _check_numbers(self):
        if not 0 < self.port < 65536:
            raise BadConnection("there is no port %d" % self.port, "give one from 1 to 65535; managers use %d" % PORT)
        if min(self.connect_timeout, self.timeout) <= 0:
            raise BadConnection("a time limit of the connection is not above 0", "give seconds")
        if self.retries < 0 or self.pool < 1:
            raise BadConnection("retries below 0, or less than one connection", "give at least 0 retries, 1 connection")

    def _check_login(self):
        if self.client_key and not self.client_cert:
            raise BadConnection("there is a client key without its certificate", "give the client certificate, too")
        if not self.username:
            if not self.client_cert:
                raise BadConnection("nobody to log in as", "give user and password, or a client certificate")
        elif self.password is None:
            raise BadConnection("no password for the user '%s'" % printable(self.username), "give it")
        elif ":" in self.username:
            raise BadConnection("the user '%s' has a colon" % printable(self.username), "HTTP knows no such users")

    def _check_files(self):
        for path, what in ((self.ca_path, "CA"), (self.client_cert, "client certificate"), (self.client_key, "key")):
            if path and not os.access(path, os.R_OK):
                reason = "may not be read" if os.path.exists(path) else "does not exist"
                raise BadConnection("the %s file %s %s" % (what, path, reason), "give a file that this user may read")
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        if self.ca_path and not os.path.isdir(self.ca_path):
            try:
                context.load_verify_locations(self.ca_path)
            except (ssl.SSLError, OSError):
                raise BadConnection(
                    "the CA file %s holds no certificate in PEM form" % self.ca_path,
                    "give a file that has -----BEGIN CERTIFICATE----- in it",
                ) from None
        if self.client_cert:
            try:
                # A passphrase, so that none is asked for on the terminal.
                context.load_cert_chain(self.client_cert, self.client_key, password="-")  # noqa: S106
            except (ssl.SSLError, OSError):
                raise BadConnection(
                    "the client certificate %s cannot be used with the key in %s"
                    % (self.client_cert, self.client_key or "the same file"),
                    "give the certificate and its own key in PEM form, the key without a passphrase",
                ) from None


def _host(text):
    """A host's name or address, without the brackets of an IPv6 address."""
    if "://" in text or "/" in text:
        raise BadConnection("the host '%s' is a URL" % printable(text), "give its name or address only")
    host = text[1:-1] if text[:1] + text[-1:] == "[]" else text
    if ":" in host and not re.match(r"[0-9a-fA-F:.]+\Z", host):
        raise BadConnection("the host '%s' has a colon" % printable(text), "give the port as an option of its own")
    if ":" in host and host.count(":") < 2:
        raise BadConnection("the host '%s' has a colon" % printable(text), "give the port as an option of its own")
    if not re.match(r"[\w.:-]+\Z", host):
        raise BadConnection("'%s' is no host" % printable(text), "give its name or address")
    return host
