# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: BSD-2-Clause
"""What is not known for certain about the vendor's Manager, all of it, each in one switchable place. Pure.

No recorded exchange of messages with the vendor's Manager is public. Whatever its manuals
leave open is a guess here, the same for the client that reads and for the gateway that
writes. Should a real manager differ, an option of the Dialect puts it right.
"""

import json
import re
import time

from .errors import BadDialect

#: Bytes that the manager takes, of a key and of a value.
KEY_LIMIT, VALUE_LIMIT = 256, 8192

# How a description of ours starts; it is then known to the letter.
_OURS = "Message received from virtual machine "


class Dialect:
    """How one manager speaks. All attributes are text, and each can be set by ``from_options``."""

    #: Where the interface starts.
    base_path = "/ovm/core/wsapi/rest"
    #: Where, below it, the manager publishes the certificate of its own authority.
    ca_certificate = "Utilities/Certificate/CaCertificate"
    #: ``first``: the password is sent until there is a session's cookie. ``always``: with every request.
    basic_login = "first"
    #: The argument of ``GET /Vm/{id}/messages`` that chooses the direction, and its two values.
    direction_parameter = "messageDirection"
    received = "RECEIVED"
    sent = "SENT"
    #: Which of the two is meant where the argument is absent.
    default_direction = "RECEIVED"
    #: ``eventType`` and ``summary`` of the event that a guest's message is; either will do.
    incoming_event_type = "VM_API_INCOMING_MESSAGE"
    incoming_event_summary = "Virtual Machine API Incoming Message"

    @classmethod
    def names(cls) -> "list[str]":
        """The names of all options."""
        return sorted(name for name in vars(Dialect) if isinstance(getattr(cls, name), str) and name[0] != "_")

    @classmethod
    def from_options(cls, options: "dict[str, str] | None") -> "Dialect":
        """A dialect with some attributes set.

        :param options: name to value; None or empty is the usual dialect.
        :raises BadDialect: there is no such option, or not with this value.
        """
        dialect = cls()
        for name, value in (options or {}).items():
            if name not in cls.names():
                raise BadDialect("there is no option '%s' of the dialect" % name, "use " + ", ".join(cls.names()))
            if not isinstance(value, str) or not value:
                raise BadDialect("the option '%s' of the dialect is no text" % name, "give it a text that is not empty")
            setattr(dialect, name, value)
        if "default_direction" not in (options or {}):
            dialect.default_direction = dialect.received
        if dialect.basic_login not in ("first", "always"):
            raise BadDialect("the dialect's basic_login is '%s'" % dialect.basic_login, "use first or always")
        if dialect.default_direction not in (dialect.received, dialect.sent):
            raise BadDialect(
                "the dialect's default_direction is '%s'" % dialect.default_direction,
                "use %s or %s" % (dialect.received, dialect.sent),
            )
        dialect.base_path = "/" + dialect.base_path.strip("/")
        return dialect

    def incoming(self, event) -> bool:
        """Whether an Event tells of a message that a guest has sent."""
        return event.summary == self.incoming_event_summary or event.type == self.incoming_event_type


def encode_text(raw: bytes) -> str:
    """Key or value as text for JSON; ``decode_text`` gives back every byte.

    What is no UTF-8 becomes lone surrogates. JSON carries these as ``\\udcNN``, if it is written in ASCII.
    """
    return raw.decode("utf-8", "surrogateescape")


def decode_text(text: str) -> bytes:
    """Key or value as bytes, whatever text a manager gave."""
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return text.encode("utf-8", "surrogatepass")  # surrogates that no encode_text has made


def event_description(vm_name: str, key: bytes, value: bytes, time_: float) -> str:
    """The description of the event that a guest's message is: the pair, and when.

    :param float time_: seconds since 1970.
    """
    when = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time_))
    return "%s%s%s at %s" % (_OURS, _quoted(vm_name), _pair(key, value), when)


def description_tells(description: str, key: bytes, value: bytes) -> bool:
    """Whether an event's description is about this message.

    Of the vendor's descriptions it is only known that they hold the pair: both must occur, as words.
    """
    if description.startswith(_OURS):
        # Quotes within name, key and value are escaped, so this occurs where it belongs, or nowhere.
        return "%s at " % _pair(key, value) in description
    words = [re.escape(encode_text(raw)) for raw in (key, value) if raw]
    return all(re.search(r"(?<!\w)%s(?!\w)" % word, description) for word in words)


def _pair(key, value):
    return ': {"key": %s, "value": %s}' % (_quoted(encode_text(key)), _quoted(encode_text(value)))


def _quoted(text):
    return json.dumps(text, ensure_ascii=False)
