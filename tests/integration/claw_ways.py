"""OpenClaw asked in two ways: straight at its own port, as an attacker would who stands there, and through the gate."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import secrets
import socket
import uuid
from collections import Counter
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from attrs import define, field
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from twisted.trial.unittest import SynchronousTestCase

from tests.integration.answers import Answer
from tests.integration.browser.claw import ClawHouse, claw_house
from tests.integration.browser.house import MINE, SECOND, THEIRS
from tests.integration.browser.quiet import Client
from tests.integration.needs import needs
from tests.integration.plain_client import ask
from tools.demo.check.browser import WebSocket
from tools.openclaw import OPENCLAW

LOCAL = "127.0.0.1:18789"
"""The host that the gate names to OpenClaw."""

SCOPES = ("operator.admin", "operator.read", "operator.write", "operator.approvals", "operator.questions", "operator.pairing")
SCRIPT = ("Sec-Fetch-Site: same-origin", "Sec-Fetch-Mode: cors", "Sec-Fetch-Dest: empty")
_TICKETS = 12
_VISIT = {"Sec-Fetch-Site": "none", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}
_BUILD = re.compile(rb'data-openclaw-control-ui-build-id="([^"]+?)(?:-[0-9a-f]{64})?"')

Told = dict[str, Any]


class Socket(WebSocket):
    """
    A WebSocket without TLS, to any path and with any fields.

    :ivar status: of the answer to the upgrade.
    :ivar heard: every byte of what was received, the head too.
    """

    def __init__(self, port: int, host: str, *fields: str, path: str = "/") -> None:
        self.heard = bytearray()
        self._socket = socket.create_connection(("127.0.0.1", port), 30)  # type: ignore[assignment]  # as good without TLS
        self._read = b""
        key = base64.b64encode(secrets.token_bytes(16)).decode()
        lines = [
            f"GET {path} HTTP/1.1", f"Host: {host}", "Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13",
            f"Sec-WebSocket-Key: {key}", *fields, "", "",
        ]  # fmt: skip
        self._socket.sendall("\r\n".join(lines).encode("latin-1"))
        while b"\r\n\r\n" not in self._read:
            self._fill()
        head, _, rest = self._read.partition(b"\r\n\r\n")
        self.status = int(head[9:12])
        if self.status == 101:
            self._read = rest

    def _fill(self) -> None:
        before = len(self._read)
        super()._fill()
        self.heard += self._read[before:]

    def raw(self, octets: bytes) -> None:
        """Send these very bytes."""
        self._socket.sendall(octets)

    def told(self) -> Told:
        """The next message."""
        message: Told = json.loads(self.receive())
        return message

    def answer(self, method: str, params: Told) -> Told:
        """Ask for something; the whole answer to it, whatever it is."""
        name = str(uuid.uuid4())
        self.send(json.dumps({"type": "req", "id": name, "method": method, "params": params}))
        while (told := self.told()).get("id") != name:
            pass
        return told


@define
class Connect:
    """
    What a client says of itself.

    :ivar signed: the credential that the device's signature covers.
    :ivar more: further parameters, or others in place of the usual.
    """

    build: str
    key: Ed25519PrivateKey | None = field(factory=Ed25519PrivateKey.generate)
    client: str = "openclaw-control-ui"
    mode: str = "webchat"
    role: str = "operator"
    scopes: tuple[str, ...] = SCOPES
    signed: str = ""
    auth: Told | None = None
    more: Told = field(factory=dict)

    def to(self, socket: Socket) -> Told:
        """Wait for the challenge and connect; the answer."""
        while (told := socket.told()).get("event") != "connect.challenge":
            pass
        return socket.answer("connect", self.params(told["payload"]))

    def params(self, challenge: Told) -> Told:
        """The parameters of the connect."""
        client = {"id": self.client, "version": "2026.9.6", "platform": "linux", "mode": self.mode, "buildId": self.build}
        params: Told = {
            "minProtocol": 4, "maxProtocol": 4, "client": {**client, "instanceId": str(uuid.uuid4())}, "role": self.role,
            "scopes": list(self.scopes), "caps": [],
        }  # fmt: skip
        if self.key is not None:
            params["device"] = self._proof(self.key, challenge)
        if self.auth is not None:
            params["auth"] = self.auth
        return {**params, **self.more}

    def _proof(self, key: Ed25519PrivateKey, challenge: Told) -> Told:
        public = key.public_key().public_bytes_raw()
        device, at, nonce = hashlib.sha256(public).hexdigest(), challenge["ts"], challenge["nonce"]
        words = ["v3", device, self.client, self.mode, self.role, ",".join(self.scopes), str(at), self.signed, nonce, "linux", ""]
        signature = key.sign("|".join(words).encode())
        return {"id": device, "publicKey": _base64(public), "signature": _base64(signature), "signedAt": at, "nonce": nonce}


def _base64(octets: bytes) -> str:
    return base64.urlsafe_b64encode(octets).rstrip(b"=").decode()


class ClawWays(SynchronousTestCase):
    """The house; mallory's sandbox is the same OpenClaw, watched on its way in."""

    if why := needs("chromium"):
        skip = why
    elif not OPENCLAW.is_file():
        skip = "needs OpenClaw: python tools/openclaw.py installs it"

    house: ClawHouse
    _guests: dict[tuple[str, str], str] = {}
    _tickets: Counter[str] = Counter()
    _build = ""

    def setUp(self) -> None:
        """What reaches OpenClaw from now on is this test's."""
        self.house = claw_house()
        self.house.tap.forget()

    # -- straight ------------------------------------------------------------------------------------------------------

    def straight(self, method: str, target: str, *fields: str, body: bytes = b"", host: str = LOCAL, bearer: bool = True) -> Answer:
        """A request to OpenClaw's own port, by default with its password."""
        credential = [f"Authorization: Bearer {self.house.claw.password}"] if bearer else []
        return ask(self.house.claw.port, _request(method, target, host, body, *credential, *fields))

    def straight_socket(self, *fields: str, path: str = "/", host: str = LOCAL, origin: str | None = f"http://{LOCAL}") -> Socket:
        """A WebSocket to OpenClaw's own port."""
        return self._kept(Socket(self.house.claw.port, host, *([f"Origin: {origin}"] if origin else []), *fields, path=path))

    def connect(self, **other: Any) -> Connect:
        """A page's connect, with something else here and there."""
        if not ClawWays._build:
            found = _BUILD.search(bytes(self.straight("GET", "/").body))
            assert found is not None, "the page is not OpenClaw's"
            ClawWays._build = found[1].decode()
        return Connect(ClawWays._build, **other)

    @property
    def password(self) -> Told:
        """What an attacker shows who knows it."""
        return {"password": self.house.claw.password}

    # -- through the gate ----------------------------------------------------------------------------------------------

    def host(self, sandbox: str = THEIRS) -> str:
        """A sandbox's authority."""
        return urlsplit(self.house.sandbox(sandbox)).netloc

    def guest(self, subject: str = "mallory", sandbox: str = THEIRS) -> str:
        """The Cookie field of a person who has opened a sandbox; another one before this one has had all its tickets."""
        known = self._guests.get((subject, sandbox))
        if known is None or self._tickets[known] >= _TICKETS:
            known = self._guests[subject, sandbox] = self.fresh_guest(subject, sandbox)
        return known

    def fresh_guest(self, subject: str = "mallory", sandbox: str = THEIRS) -> str:
        """The same, of a session of its own."""
        token = self.house.token(subject)
        portal = Client(self.house.plain_port, urlsplit(self.house.portal).netloc, {"__Host-coral": token})
        there = Client(self.house.plain_port, self.host(sandbox))
        handoff = there.ask("/", None, **_VISIT).location
        entering = portal.ask(handoff.removeprefix(self.house.portal), None, **_VISIT).location
        there.ask(entering.removeprefix(self.house.sandbox(sandbox)), None, **_VISIT)
        return f"Cookie: __Host-coral-sandbox={there.jar['__Host-coral-sandbox']}"

    def through(self, method: str, target: str, *fields: str, body: bytes = b"", host: str = "", cookie: str | None = None) -> Answer:
        """A request of mallory's to mallory's sandbox."""
        cookies = [self.guest() if cookie is None else cookie]
        return ask(self.house.plain_port, _request(method, target, host or self.host(), body, *filter(None, cookies), *fields))

    def asked_ticket(self, cookie: str | None = None, sandbox: str = THEIRS) -> Answer:
        """What a page's script is answered that asks for a ticket."""
        cookie = self.guest() if cookie is None else cookie
        self._tickets[cookie] += 1
        fields = (f"Origin: {self.house.sandbox(sandbox)}", "Content-Type: application/json", *SCRIPT)
        return self.through("POST", "/.gate/ticket", *fields, body=b'{"channel":"control"}', cookie=cookie, host=self.host(sandbox))

    def ticket(self, cookie: str | None = None, sandbox: str = THEIRS) -> str:
        """A ticket."""
        answer = self.asked_ticket(cookie, sandbox)
        self.assertEqual(answer.status, 200, bytes(answer.body))
        return str(json.loads(bytes(answer.body))["ticket"])

    def offer(self, ticket: str) -> str:
        """The field with which a page's script shows a ticket."""
        return f"Sec-WebSocket-Protocol: coral.v1, coral.ticket.{ticket}"

    def through_socket(
        self, *fields: str, path: str = "/", origin: str | None = "", cookie: str | None = None, sandbox: str = THEIRS
    ) -> Socket:
        """A WebSocket to a sandbox with a fresh ticket; without `Origin` where it is None."""
        cookie = self.guest() if cookie is None else cookie
        named = [] if origin is None else [f"Origin: {origin or self.house.sandbox(sandbox)}"]
        shown = [cookie, *named, self.offer(self.ticket(cookie, sandbox)), *fields]
        return self._kept(Socket(self.house.plain_port, self.host(sandbox), *shown, path=path))

    def page(self, **other: Any) -> tuple[Socket, Told]:
        """A page that is connected, and its hello."""
        socket = self.through_socket()
        hello = self.connect(**other).to(socket)
        self.assertTrue(hello["ok"], hello)
        return socket, hello["payload"]

    def straight_page(self, **other: Any) -> tuple[Socket, Told]:
        """The same without the gate, for whoever knows the password."""
        socket = self.straight_socket()
        hello = self.connect(**{"auth": self.password, **other}).to(socket)
        self.assertTrue(hello["ok"], hello)
        return socket, hello["payload"]

    def nothing_arrives(self, tried: Callable[[], object]) -> None:
        """Nothing of what is done reaches OpenClaw, not even a connection."""
        before = len(self.house.tap.said), len(self.house.tap.everything)
        tried()
        self.assertEqual((len(self.house.tap.said), len(self.house.tap.everything)), before)

    def _kept(self, socket: Socket) -> Socket:
        self.addCleanup(socket.cut)
        return socket


def _request(method: str, target: str, host: str, body: bytes, *fields: str) -> bytes:
    length = [f"Content-Length: {len(body)}"] if body or method == "POST" else []
    lines = [f"{method} {target} HTTP/1.1", *([f"Host: {host}"] if host else []), *length, *fields, "", ""]
    return "\r\n".join(lines).encode("latin-1") + body


__all__ = ["LOCAL", "MINE", "SCOPES", "SCRIPT", "SECOND", "THEIRS", "ClawWays", "Connect", "Socket", "Told"]
