# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The certificate: one's own, or one made at the first start; and the TLS that comes of it."""

import datetime
import ipaddress
import os
import socket
import ssl

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from ansible_collections.ovm.messaging.plugins.module_utils.problem import Problem

from . import files

#: Names of the files in the state directory, where none are configured.
CERTIFICATE, KEY = "certificate.pem", "key.pem"
#: Days that a certificate made here is good for: the longest that clients everywhere take.
DAYS = 825
#: Days before its end from which on every start warns.
WARNING_DAYS = 30


class BadCertificate(Problem):
    """A certificate or key cannot be read, used or made."""


class Certificate:
    """The certificate that the service shows.

    :param settings: Settings.
    """

    def __init__(self, settings):
        self._made_here = not settings.certificate
        self._names = settings.names
        self._client_ca = settings.client_ca
        self.path = settings.certificate or settings.in_directory(CERTIFICATE)
        self.key_path = settings.key or settings.in_directory(KEY)

    def ensure(self):
        """Make it at the first start, unless it is one's own.

        :returns: whether it was made.
        :raises BadCertificate: it cannot be written.
        """
        if not self._made_here:
            return False
        try:
            with files.locked(os.path.dirname(self.path)):
                if os.path.exists(self.path):
                    return False
                certificate, key = _make(_all_names(self._names))
                files.replace(self.key_path, key)
                # Last: once it is there, both are.
                files.replace(self.path, certificate, mode=0o644)
        except OSError as problem:
            raise BadCertificate(
                "no certificate can be made at %s (%s)" % (self.path, problem.strerror), "see the state directory"
            ) from None
        return True

    def text(self):
        """The certificate, with what it was signed by, if that follows it in the file: PEM.

        :rtype: str
        :raises BadCertificate: it cannot be read.
        """
        try:
            with open(self.path, encoding="ascii") as stream:
                return stream.read()
        except (OSError, UnicodeDecodeError) as problem:
            raise _unusable(self.path, problem) from None

    def fingerprint(self):
        """SHA-256 of the certificate, as ``AB:CD:...``."""
        return ":".join("%02X" % byte for byte in self._loaded().fingerprint(hashes.SHA256()))

    def days_left(self):
        """Days until it expires; negative where it has."""
        return (self._loaded().not_valid_after_utc - datetime.datetime.now(datetime.timezone.utc)).days

    def context(self):
        """TLS as the service speaks it.

        :rtype: ssl.SSLContext
        :raises BadCertificate: certificate, key or client CA cannot be used.
        """
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.set_alpn_protocols(["http/1.1"])
        self.load_into(context)
        if self._client_ca:
            try:
                context.load_verify_locations(self._client_ca)
            except (OSError, ssl.SSLError) as problem:
                raise _unusable(self._client_ca, problem) from None
            # Who shows none logs in with a password.
            context.verify_mode = ssl.CERT_OPTIONAL
        return context

    def load_into(self, context):
        """Show the certificate as it is in the files now, in all connections from here on.

        :raises BadCertificate: it cannot be used; then nothing has changed.
        """
        # A context that failed halfway would be left with a certificate and no key.
        trial = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        for each in (trial, context):
            try:
                each.load_cert_chain(self.path, self.key_path, password=_no_password)
            except (OSError, ssl.SSLError, ValueError) as problem:
                raise _unusable("%s with the key %s" % (self.path, self.key_path), problem) from None

    def _loaded(self):
        try:
            return x509.load_pem_x509_certificate(self.text().encode("ascii"))
        except ValueError as problem:
            raise _unusable(self.path, problem) from None


def names_in(peer):
    """Whom a client's certificate names.

    :param dict peer: as of SSLSocket.getpeercert().
    :returns: its common names, e-mail addresses and DNS names, in this order.
    """
    found = [value for part in peer.get("subject", ()) for name, value in part if name == "commonName"]
    return found + [value for kind, value in peer.get("subjectAltName", ()) if kind in ("email", "DNS")]


def _no_password():
    raise ValueError("the key has a password, which nobody could enter")


def _unusable(path, problem):
    reason = getattr(problem, "reason", None) or getattr(problem, "strerror", None) or str(problem)
    return BadCertificate(
        "the certificate %s cannot be used (%s)" % (path, " ".join(str(reason).split())),
        "see that the files are there, in PEM, fit each other, and that the key has no password",
    )


def _all_names(configured):
    names = [*configured, socket.gethostname(), socket.getfqdn(), "localhost", "127.0.0.1", "::1"]
    return list(dict.fromkeys(names))


def _make(names):
    """A self-signed certificate for these names, and its key: PEM."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "ovm-gateway " + names[0][:40])])
    now = datetime.datetime.now(datetime.timezone.utc)
    public = key.public_key()
    identifier = x509.SubjectKeyIdentifier.from_public_key(public)
    unused = "content_commitment key_encipherment data_encipherment key_agreement crl_sign encipher_only decipher_only"
    usage = dict.fromkeys(unused.split(), False)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))  # clients' clocks differ
        .not_valid_after(now + datetime.timedelta(days=DAYS))
        # Clients trust the certificate itself. It is marked as its own CA, of nothing else, since
        # strict ones take nothing else for a root.
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(x509.KeyUsage(digital_signature=True, key_cert_sign=True, **usage), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(identifier, critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(identifier), critical=False)
        .add_extension(
            x509.SubjectAlternativeName([found for found in map(_alternative, names) if found]), critical=False
        )
    )
    certificate = builder.sign(key, hashes.SHA256())
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return certificate.public_bytes(serialization.Encoding.PEM), private


def _alternative(name):
    """A name as it stands in a certificate; None where it is none, as what some call their hosts."""
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        pass
    try:
        return x509.DNSName(name.encode("idna").decode("ascii"))
    except (UnicodeError, ValueError):
        return None
