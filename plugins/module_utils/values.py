# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: BSD-2-Clause
"""Between what people write in YAML and the bytes that the channel carries. Pure."""

import base64
import binascii
import datetime
import json

from .channel.errors import InvalidMessage
from .channel.message import Message, display

# Members of a result with such names tell Ansible how to read it. A guest that sends such a key must not.
_ANSIBLES_OWN = "__ansible_"
#: Stands in results and diffs where a secret's value would.
MASK = "********"


def encode(name, value):
    """The bytes that a YAML value becomes.

    Text is sent as UTF-8, a number as it is written, a boolean as ``True`` or ``False``
    (what the first-boot scripts understand), a list or dict as compact JSON with sorted keys.

    :param str name: the key, for the error.
    :param value: str, int, float, bool, list or dict.
    :rtype: bytes
    :raises InvalidMessage: for null, and for text that is no valid Unicode.
    """
    if value is None:
        raise InvalidMessage("the value of '%s' is null" % name, "write '' for an empty value, or leave it out")
    if isinstance(value, (list, tuple, dict)):
        value = json.dumps(value, ensure_ascii=False, separators=(",", ":"), sort_keys=True)
    elif not isinstance(value, str):
        value = str(value)
    try:
        return value.encode("utf-8")
    except UnicodeEncodeError:
        raise InvalidMessage("the value of '%s' is not valid Unicode" % name, "give its bytes in base64") from None


def encode_key(name):
    """The bytes of a key; a number or boolean as a key counts as it is written.

    :rtype: bytes
    :raises InvalidMessage: for text that is no valid Unicode.
    """
    try:
        return str(name).encode("utf-8")
    except UnicodeEncodeError:
        raise InvalidMessage("the key %s is not valid Unicode" % ascii(name), "use another key") from None


def decode_base64(name, text):
    """The bytes of a value given in base64.

    :raises InvalidMessage: when it is no base64.
    """
    try:
        return base64.b64decode("".join(text.split()).encode("ascii"), validate=True)
    except (AttributeError, binascii.Error, ValueError):  # in this order: no text, not base64, not ASCII
        raise InvalidMessage("the value of '%s' is not base64" % name, "encode its bytes, or give it as text") from None


def messages(*sources):
    """Messages from several dicts, in order.

    :param sources: pairs of a dict and the function that turns a name and a value into bytes.
    :rtype: list of Message
    :raises InvalidMessage: also when two of the keys are the same bytes.
    """
    result = {}
    for pairs, encoder in sources:
        for name, value in (pairs or {}).items():
            key = encode_key(name)
            if key in result:
                raise InvalidMessage("the key '%s' is given twice" % display(key), "give each parameter once")
            result[key] = Message(key, encoder(name, value))
    return list(result.values())


def text(raw):
    """Bytes as text, or None where they are not UTF-8.

    :rtype: str or None
    """
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return None


def base64_text(raw):
    """Bytes in base64, as text.

    :rtype: str
    """
    return base64.b64encode(raw).decode("ascii")


def key_text(raw):
    """A key as text; what is not UTF-8 in it appears as ``\\xNN``, and so does the start of what only Ansible may say.

    :rtype: str
    """
    text = raw.decode("utf-8", "backslashreplace")
    return "\\x5f" + text[1:] if text.startswith(_ANSIBLES_OWN) else text


def iso(seconds):
    """A time as ISO 8601 in UTC, or None where it is not known, or none that a calendar has.

    :param seconds: since 1970, or None.
    """
    try:
        moment = datetime.datetime.fromtimestamp(seconds, datetime.timezone.utc)
    except (TypeError, ValueError, OverflowError, OSError):
        return None
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + "%03dZ" % (moment.microsecond // 1000)


def clean(text):
    """Text from elsewhere, without what cannot be written as UTF-8: no result may hold any of that.

    :rtype: str
    """
    return str(text).encode("utf-8", "backslashreplace").decode("utf-8")
