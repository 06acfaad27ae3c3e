"""
One control connection between a browser's OpenClaw page and a sandbox's gateway: what may pass, message by message.
"""

from __future__ import annotations

import enum
import json
from typing import Final

from coral_gate.channels.openclaw_connect import (
    CONNECT_BYTES,
    LOCKED_OUT,
    Origins,
    Unacceptable,
    connect_id,
    read_connect,
    rejection_code,
    request_parts,
    scrubbed_hello,
    signed_in,
    with_methods,
)
from coral_gate.channels.openclaw_frames import (
    Answer,
    Forward,
    Refuse,
    blocked,
    blocked_reload,
    challenge,
    locked_out,
    not_connected,
    shown,
    try_later,
)
from coral_gate.channels.openclaw_methods import OPENCLAW_2026_9, MethodTable
from coral_gate.channels.strict_json import NotStrictJSON, read_object, write_object
from coral_gate.model import Secret

__all__ = ["Answer", "ControlDialogue", "Forward", "Origins", "Refuse", "blocked_reload", "challenge", "connect_id"]

UPSTREAM_HOST: Final = "127.0.0.1:18789"
"""Where a sandbox's gateway listens, and what it is asked for as: its own addresses are made of it."""

HELLO_BYTES: Final = 4 * 1024 * 1024
"""The longest message that is taken from a sandbox until it answered the connect; a real hello has 20 KiB."""
WATCHED_BYTES: Final = 1024 * 1024
"""The longest later message that is looked into; a longer one is no answer that we rewrite, and passes as it is."""
EARLY_MESSAGES: Final = 256
"""How many messages a sandbox may send until it answered the connect."""
PENDING: Final = 4096
"""How many answers that we rewrite may be awaited at once."""

POLICY_VIOLATION: Final = 1008
TOO_BIG: Final = 1009
BAD_GATEWAY: Final = 1014


class _Stage(enum.Enum):
    FIRST = "the browser's connect is awaited"
    CONNECTING = "the sandbox's answer to it is awaited"
    OPEN = "connected"
    ENDED = "nothing passes any more"


class ControlDialogue:
    """
    The state of one control connection. It decides; reading frames, sending, closing, recording and the leak scan are the caller's.

    Every text message of the browser goes through `from_browser`, and every text message of the sandbox through
    `from_sandbox` while `watching`; the rest of the sandbox's messages may pass in pieces. Binary messages are none of
    this protocol. After a `Refuse` nothing passes in either direction.

    :param secret: the gateway's password, in UTF-8.
    :param public_origin: the sandbox's origin for browsers, `https://<id>.sandboxes.example`: addresses in answers are rewritten to it.
    :param upstream_host: what the gate sends as Host.
    :param table: the methods that pass.
    :ivar mismatch: whether the sandbox refused our secret, or says that such attempts were too many: dialling again with the same
        one keeps the gate locked out. The caller may set it back.
    :ivar rejection: the code with which the sandbox refused the connect, "OTHER" for one that we do not know; empty while it has not.
    :raises ValueError: the secret is empty or no UTF-8.
    """

    __slots__ = ("_connect_id", "_early", "_needles", "_origins", "_pending", "_secret", "_stage", "_table", "mismatch", "rejection")

    def __init__(
        self, secret: Secret, public_origin: str, upstream_host: str = UPSTREAM_HOST, table: MethodTable = OPENCLAW_2026_9
    ) -> None:
        text = secret.reveal().decode("utf-8")
        if not text:
            raise ValueError("an empty secret")
        self._needles = frozenset((text, json.dumps(text)[1:-1], json.dumps(text, ensure_ascii=False)[1:-1]))
        self._secret = secret
        self._origins = Origins(upstream_host, public_origin)
        self._table = table
        self._stage = _Stage.FIRST
        self._connect_id = ""
        self._early = 0
        self._pending: set[str] = set()
        self.mismatch = False
        self.rejection = ""

    def __repr__(self) -> str:
        return f"<ControlDialogue: {self._stage.value}>"

    @property
    def connected(self) -> bool:
        """Whether the sandbox's hello has passed and nothing was refused since."""
        return self._stage is _Stage.OPEN

    @property
    def watching(self) -> bool:
        """Whether the sandbox's next text message must be whole and go through `from_sandbox`."""
        return self._stage is not _Stage.OPEN or bool(self._pending)

    def from_browser(self, message: bytes) -> Forward | Answer | Refuse:
        """
        Judge one text message of the browser.

        :return: once connected, `Forward` holds the very same bytes.
        """
        if self._stage is _Stage.FIRST:
            return self._connect(message)
        if self._stage is _Stage.ENDED:
            return Refuse(POLICY_VIOLATION, "not connected", "not-connected")
        try:
            request = read_object(message)
            request_id, method = request_parts(request)
        except NotStrictJSON:
            return self._refuse(POLICY_VIOLATION, "not strict JSON", "message-json")
        except Unacceptable as unacceptable:
            return self._refuse(POLICY_VIOLATION, str(unacceptable), "message-shape")
        if method == "connect":
            return self._refuse(POLICY_VIOLATION, "a second connect", "second-connect")
        return self._request(message, request_id, method)

    def from_sandbox(self, message: bytes) -> Forward | Refuse:
        """
        Judge one text message of the sandbox; every one while `watching`.

        Until the connect is answered, only events and that answer pass. Afterwards only awaited answers are rewritten, and
        everything else passes as it is: the sandbox is free to tell its own user what it likes.
        """
        if self._stage is _Stage.OPEN:
            return self._rewritten(message)
        if self._stage is _Stage.ENDED:
            return Refuse(BAD_GATEWAY, "not connected", "not-connected")
        self._early += 1
        if len(message) > HELLO_BYTES or self._early > EARLY_MESSAGES:
            return self._refuse(BAD_GATEWAY, "the sandbox sent too much before its hello", "sandbox-hello")
        try:
            return self._before_hello(read_object(message), message)
        except NotStrictJSON:
            return self._refuse(BAD_GATEWAY, "the sandbox sent no strict JSON before its hello", "sandbox-hello")
        except Unacceptable as unacceptable:
            return self._refuse(BAD_GATEWAY, str(unacceptable), "sandbox-hello")

    def _connect(self, message: bytes) -> Forward | Refuse:
        try:
            request_id, request = read_connect(message)
        except Unacceptable as unacceptable:
            return self._refuse(TOO_BIG if len(message) > CONNECT_BYTES else POLICY_VIOLATION, str(unacceptable), "connect")
        try:
            signed = signed_in(request, self._secret)
        except Unacceptable as unacceptable:
            why = str(unacceptable)
            return self._refuse(POLICY_VIOLATION, why, "connect", not_connected(request_id, why))
        self._connect_id = request_id
        self._stage = _Stage.CONNECTING
        return Forward(write_object(signed))

    def _request(self, message: bytes, request_id: str, method: str) -> Forward | Answer:
        if method not in self._table.allowed:
            return Answer(blocked(request_id, method), "method-blocked", shown(method))
        if self._stage is _Stage.CONNECTING:
            return Answer(try_later(request_id, "the gateway has not answered the connect yet"), "too-early", shown(method))
        if method in self._table.watched:
            if len(self._pending) >= PENDING:
                return Answer(try_later(request_id, "too many requests at once"), "too-many", shown(method))
            self._pending.add(request_id)
        return Forward(message, acts=method in self._table.acts)

    def _before_hello(self, found: dict[str, object], message: bytes) -> Forward | Refuse:
        if found.get("type") == "event" and isinstance(found.get("event"), str):
            return self._unless_leaking(found, message)
        if self._stage is not _Stage.CONNECTING or found.get("type") != "res" or found.get("id") != self._connect_id:
            raise Unacceptable("the sandbox answered what was not asked")
        if found.get("ok") is True:
            hello = scrubbed_hello(found, self._origins, self._table.allowed)
            passing = self._unless_leaking(hello, write_object(hello))
            if isinstance(passing, Forward):
                self._stage = _Stage.OPEN
            return passing
        self.rejection = rejection_code(found)
        self.mismatch = self.rejection in LOCKED_OUT
        self._stage = _Stage.ENDED
        if self.mismatch:
            return Forward(locked_out(self._connect_id, self.rejection))
        return self._unless_leaking(found, write_object(found))

    def _rewritten(self, message: bytes) -> Forward | Refuse:
        if len(message) > WATCHED_BYTES or not self._pending:
            return Forward(message)
        try:
            found = read_object(message)
        except NotStrictJSON:
            return Forward(message)
        answered = found.get("id")
        if found.get("type") != "res" or not isinstance(answered, str) or answered not in self._pending:
            return Forward(message)
        self._pending.discard(answered)
        if isinstance(payload := found.get("payload"), dict):
            payload = self._origins.rewritten_everywhere(with_methods(payload, self._table.allowed))
            found = {**found, "payload": payload}
        return self._unless_leaking(found, write_object(found))

    def _unless_leaking(self, found: dict[str, object], message: bytes) -> Forward | Refuse:
        """What we parsed is searched as it reads, not as it is spelled: the scan of the stream knows fewer spellings."""
        plain = json.dumps(found, ensure_ascii=False)
        if any(needle in plain for needle in self._needles):
            return self._refuse(BAD_GATEWAY, "the sandbox sent what must not leave it", "credential-leak")
        return Forward(message)

    def _refuse(self, code: int, reason: str, word: str, answer: bytes | None = None) -> Refuse:
        self._stage = _Stage.ENDED
        self._pending.clear()
        return Refuse(code, reason, word, answer)
