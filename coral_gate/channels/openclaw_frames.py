"""
What comes of a message on a control connection, and the few messages of OpenClaw's protocol that the gate writes itself.
"""

from __future__ import annotations

import re
from typing import Final

from attrs import field, frozen

from coral_gate.channels.strict_json import write_object

ID_CHARACTERS: Final = 128
"""The longest id of a request that is taken."""
METHOD_CHARACTERS: Final = 128
"""The longest name of a method that is taken."""

OUR_BUILD: Final = "coral-gate"
"""What the gate calls the build that it wants an old page to load; a page takes any name that is not its own, to 96 characters."""

_NAME: Final = re.compile(r"[A-Za-z0-9._-]{1,128}")


@frozen
class Forward:
    """
    Send this on to the other side.

    :param octets: one text message; the connect holds the sandbox's secret, therefore no repr.
    :param acts: whether a person did something, rather than a page on its own.
    """

    octets: bytes = field(repr=False)
    acts: bool = False


@frozen
class Answer:
    """
    Nothing goes on; send this back, and the connection stays.

    :param octets: one text message for the browser.
    :param word: why, for the record.
    :param method: what was asked: a name of `[A-Za-z0-9._-]`, or "?" for what is no name.
    """

    octets: bytes
    word: str
    method: str


@frozen
class Refuse:
    """
    Close both sides.

    :param code: the close code for the browser (RFC 6455 §7.4, and 1014 of its registry for what a sandbox did wrong).
    :param reason: for the browser, ASCII, at most 123 bytes; holds nothing of the message.
    :param word: why, for the record.
    :param answer: one text message for the browser to send before closing.
    """

    code: int
    reason: str
    word: str
    answer: bytes | None = field(default=None, repr=False)


def shown(method: str) -> str:
    """A method's name as it may stand in records and answers: itself, or "?" where it is no name."""
    return method if _NAME.fullmatch(method) else "?"


def blocked(request_id: str, method: str) -> bytes:
    """The answer to a method that the table does not allow, in the shape of OpenClaw's own refusals."""
    return _error(request_id, {"code": "INVALID_REQUEST", "message": f"blocked by the gate: {shown(method)}"})


def try_later(request_id: str, why: str) -> bytes:
    """The answer to what may be asked again soon."""
    return _error(request_id, {"code": "UNAVAILABLE", "message": why, "retryable": True, "retryAfterMs": 500})


def not_connected(request_id: str, why: str) -> bytes:
    """The answer to a connect that the gate does not pass on."""
    return _error(request_id, {"code": "INVALID_REQUEST", "message": why})


def locked_out(request_id: str, code: str) -> bytes:
    """
    The answer to a connect with which the sandbox refused the gate's secret; the page stops connecting by itself.

    In our words: OpenClaw's ask the person for a password that nobody has.

    :param code: the sandbox's, by which the page knows that trying again is no use.
    """
    message = "the gate could not sign in to this sandbox; try again in a few minutes"
    return _error(request_id, {"code": "INVALID_REQUEST", "message": message, "details": {"code": code}})


def blocked_reload(request_id: str) -> bytes:
    """
    The answer to a connect after which the page reloads itself once: for a tab that was loaded before the gate added its script.

    :param request_id: from `connect_id`.
    """
    details: dict[str, object] = {"code": "CONTROL_UI_BUILD_MISMATCH", "gatewayBuildId": OUR_BUILD, "reloadRequired": True}
    message = "this page is out of date: reload it"
    return _error(request_id, {"code": "INVALID_REQUEST", "message": message, "details": details})


def challenge(nonce: str, ts_ms: int) -> bytes:
    """
    The event with which the gateway begins, for connections that the gate answers itself.

    :param nonce: random, 1 to 128 characters.
    :param ts_ms: milliseconds since 1970.
    """
    return write_object({"type": "event", "event": "connect.challenge", "payload": {"nonce": nonce, "ts": ts_ms}})


def _error(request_id: str, error: dict[str, object]) -> bytes:
    return write_object({"type": "res", "id": request_id, "ok": False, "error": error})
