"""OpenClaw's own control connection, as its page speaks it, with a device key that this walk has drawn."""

from __future__ import annotations

import base64
import hashlib
import json
import time
import uuid
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from tools.demo.check.browser import WAIT_S, WebSocket

SCOPES = ["operator.admin", "operator.read", "operator.write", "operator.approvals", "operator.questions", "operator.pairing"]
CLIENT = {"id": "openclaw-control-ui", "version": "2026.9.6", "platform": "Linux x86_64", "mode": "webchat"}


def _base64(octets: bytes) -> str:
    return base64.urlsafe_b64encode(octets).rstrip(b"=").decode()


class Claw:
    """
    One connection, greeted and let in; it holds no secret of the sandbox's.

    :param build: the build of the page that it speaks for, as the page says.
    """

    def __init__(self, socket: WebSocket, key: Ed25519PrivateKey, build: str) -> None:
        self._socket, self._build = socket, build
        self._events: list[dict[str, Any]] = []
        challenge = json.loads(socket.receive())
        if challenge.get("event") != "connect.challenge":
            raise RuntimeError(f"not greeted but told {challenge.get('event')}")
        self.hello = self.call("connect", self._connecting(key, challenge["payload"]))

    def _connecting(self, key: Ed25519PrivateKey, challenge: dict[str, Any]) -> dict[str, Any]:
        public = key.public_key().public_bytes_raw()
        device = hashlib.sha256(public).hexdigest()
        at, nonce = challenge["ts"], challenge["nonce"]
        who = ["v3", device, CLIENT["id"], CLIENT["mode"], "operator", ",".join(SCOPES)]
        words = [*who, str(at), "", nonce, CLIENT["platform"].lower(), ""]
        signature = key.sign("|".join(words).encode())
        proof = {"id": device, "publicKey": _base64(public), "signature": _base64(signature), "signedAt": at, "nonce": nonce}
        return {
            "minProtocol": 4, "maxProtocol": 4, "client": {**CLIENT, "buildId": self._build, "instanceId": str(uuid.uuid4())},
            "role": "operator", "scopes": SCOPES, "device": proof, "caps": [],
        }  # fmt: skip

    def call(self, method: str, params: dict[str, Any]) -> dict[str, Any]:
        """
        Ask for something; its payload.

        :raises RuntimeError: it was refused.
        """
        name = str(uuid.uuid4())
        self._socket.send(json.dumps({"type": "req", "id": name, "method": method, "params": params}))
        while True:
            told: dict[str, Any] = json.loads(self._socket.receive())
            if told.get("type") == "res" and told.get("id") == name:
                break
            self._events.append(told)
        if not told.get("ok"):
            raise RuntimeError(f"{method} was refused: {told.get('error', {}).get('message')}")
        payload: dict[str, Any] = told.get("payload") or {}
        return payload

    def say(self, message: str) -> str:
        """Send a chat message; everything that the final event of its run says."""
        run = self.call("chat.send", {"sessionKey": "main", "message": message, "idempotencyKey": str(uuid.uuid4())})["runId"]
        until = time.monotonic() + WAIT_S
        while time.monotonic() < until:
            event = self._events.pop(0) if self._events else json.loads(self._socket.receive())
            payload = event.get("payload") or {}
            if event.get("event") == "chat" and payload.get("runId") == run and payload.get("state") in ("final", "error"):
                if payload["state"] == "error":
                    raise RuntimeError(f"the run ended with: {payload.get('errorMessage')}")
                return json.dumps(payload)
        raise RuntimeError(f"no answer within {WAIT_S:g} s")

    def cut(self) -> None:
        """End it as a network does that fails."""
        self._socket.cut()

    def wait_for_the_end(self) -> None:
        """
        Read until it is closed.

        :raises Closed: always.
        """
        while True:
            self._socket.receive()
