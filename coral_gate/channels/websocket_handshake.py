"""
The opening handshake of a WebSocket, both sides (RFC 6455 §4): heads in, octets out.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
from typing import Final

from attrs import field, frozen

from coral_gate.errors import ClientFault, UpstreamFault
from coral_gate.http1.fields import is_token
from coral_gate.http1.head import RequestHead, ResponseHead

SUBPROTOCOLS: Final = 8
"""How many a client may offer."""

_GUID: Final = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_KEY: Final = re.compile(rb"[A-Za-z0-9+/]{22}==\Z")
_NONCE_BYTES: Final = 16
_PLAIN: Final = re.compile(rb"[\x21-\x7e]+\Z")


class UpgradeRefused(ClientFault):
    """A request to upgrade breaks a rule; its word says which."""


class VersionRefused(UpgradeRefused):
    """A request to upgrade names another version than 13; the answer says `Sec-WebSocket-Version: 13` (RFC 6455 §4.4)."""

    status = 426


class AnswerRefused(UpstreamFault):
    """A server's answer to a request to upgrade is not the one that was asked for; its word says why."""


@frozen
class Upgrade:
    """
    What a client asks for, every rule kept.

    :ivar key: base64 of 16 octets, for `accept_for`.
    :ivar subprotocols: tokens, in the client's order, each once; they may carry a secret, therefore no repr.
    """

    key: bytes
    subprotocols: tuple[str, ...] = field(repr=False)


def read_upgrade(head: RequestHead) -> Upgrade:
    """
    Read a client's request to upgrade (RFC 6455 §4.2.1). Extensions that it offers are none of ours.

    :raises UpgradeRefused: answer with its status and close.
    """
    read = head.read
    if head.method != b"GET" or head.minor != 1 or head.chunked or head.length > 0 or b"expect" in read:
        raise UpgradeRefused("upgrade-request")
    if not _upgrades(read):
        raise UpgradeRefused("upgrade-fields")
    if read.get(b"sec-websocket-version") != b"13":
        raise VersionRefused("upgrade-version")
    key = read.get(b"sec-websocket-key", b"")
    if not _is_key(key):
        raise UpgradeRefused("upgrade-key")
    return Upgrade(key, _offered(read.get(b"sec-websocket-protocol")))


def accept_for(key: bytes) -> bytes:
    """What the server proves with that it has read the client's key (RFC 6455 §4.2.2)."""
    return base64.b64encode(hashlib.sha1(key + _GUID, usedforsecurity=False).digest())


def switching(accept: bytes, subprotocol: str | None) -> bytes:
    """
    The answer to a request to upgrade, after which frames follow (RFC 6455 §4.2.2).

    :param accept: from `accept_for`.
    :param subprotocol: one of those that were offered, or None.
    """
    return b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: %b\r\n%b\r\n" % (
        accept,
        _protocol_line(subprotocol),
    )


def request(host: bytes, origin: bytes | None, target: bytes, key: bytes, subprotocol: str | None = None) -> bytes:
    """
    A request to upgrade, whole (RFC 6455 §4.1). It offers no extension.

    :param origin: e.g. `https://gate.example`, or None to send none.
    :param target: origin form.
    :param key: base64 of 16 unpredictable octets.
    :raises ValueError: a value could not stand in its place.
    """
    if not all(_PLAIN.match(value) for value in (host, target, b"-" if origin is None else origin)) or not _is_key(key):
        raise ValueError("this cannot stand in a request to upgrade")
    lines = (
        b"GET %b HTTP/1.1\r\nHost: %b\r\n" % (target, host),
        b"" if origin is None else b"Origin: %b\r\n" % origin,
        b"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: %b\r\n" % key,
        _protocol_line(subprotocol),
    )
    return b"".join(lines) + b"\r\n"


def check_answer(head: ResponseHead, key: bytes, subprotocol: str | None = None) -> None:
    """
    Check a server's answer to `request` (RFC 6455 §4.1): frames follow it at once.

    :param key: the one that was sent.
    :param subprotocol: the one that was offered: the answer takes it; where none was, the answer names none.
    :raises AnswerRefused: close the connection; nothing more on it can be trusted.
    """
    read = head.read
    if head.status != 101 or head.minor != 1:
        raise AnswerRefused("answer-status")
    if head.length >= 0 or head.chunked:
        raise AnswerRefused("answer-content")
    if not _upgrades(read):
        raise AnswerRefused("answer-fields")
    if not hmac.compare_digest(read.get(b"sec-websocket-accept", b""), accept_for(key)):
        raise AnswerRefused("answer-accept")
    if b"sec-websocket-extensions" in read:
        raise AnswerRefused("answer-extensions")
    if read.get(b"sec-websocket-protocol") != (None if subprotocol is None else subprotocol.encode("ascii")):
        raise AnswerRefused("answer-subprotocol")


def _upgrades(read: dict[bytes, bytes]) -> bool:
    """Whether Upgrade is exactly `websocket` and Connection has the option `upgrade`."""
    options = [option.strip(b" \t") for option in read.get(b"connection", b"").lower().split(b",")]
    return b"upgrade" in options and read.get(b"upgrade", b"").lower() == b"websocket"


def _is_key(key: bytes) -> bool:
    """Whether it is base64 of 16 octets, and the one way to write them."""
    if not _KEY.match(key):
        return False
    nonce = binascii.a2b_base64(key)
    return len(nonce) == _NONCE_BYTES and base64.b64encode(nonce) == key


def _offered(value: bytes | None) -> tuple[str, ...]:
    if value is None:
        return ()
    offered = [token.strip(b" \t") for token in value.split(b",")]
    if len(offered) > SUBPROTOCOLS or len(set(offered)) != len(offered) or not all(map(is_token, offered)):
        raise UpgradeRefused("upgrade-subprotocols")
    return tuple(token.decode("ascii") for token in offered)


def _protocol_line(subprotocol: str | None) -> bytes:
    if subprotocol is None:
        return b""
    value = subprotocol.encode("ascii", "replace") if subprotocol.isascii() else b""
    if not is_token(value):
        raise ValueError("a subprotocol is a token")
    return b"Sec-WebSocket-Protocol: %b\r\n" % value
