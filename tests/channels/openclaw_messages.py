"""Messages of a control connection for tests: what the real page and OpenClaw 2026.9.6 send, and variations of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from coral_gate.channels.openclaw import Answer, ControlDialogue, Forward, Refuse
from coral_gate.model import Secret

PASSWORD = "Zq7vKp2mXw9RtY4nBc6LsD3fHj8GaE5u"
PUBLIC = "https://" + "a" * 26 + ".sbx.localhost:8443"
UPSTREAM = "127.0.0.1:18789"
CONNECT_ID = "1:00000000-0000-4000-8000-000000000001"
CHALLENGE = b'{"type":"event","event":"connect.challenge","payload":{"nonce":"208c7373-9888-4dab-a2be-1abf29b5a0c3","ts":1795367678246}}'
SCOPES = ["operator.admin", "operator.read", "operator.write", "operator.approvals", "operator.questions", "operator.pairing"]

_FOLDER = Path(__file__).with_name("openclaw_2026_9")


def captured(name: str) -> bytes:
    """What a real OpenClaw sent, its identifiers and tokens replaced: `hello`, `refresh`, `descriptors`, `mismatch`."""
    return (_FOLDER / f"{name}.json").read_bytes().strip()


def connect(*, without: str = "", **params: object) -> bytes:
    """The page's connect with other parameters."""
    made: dict[str, object] = {
        "minProtocol": 4,
        "maxProtocol": 4,
        "client": {"id": "openclaw-control-ui", "version": "2026.9.6", "platform": "Linux x86_64", "mode": "webchat"},
        "role": "operator",
        "scopes": SCOPES,
        "device": {"id": "0" * 64, "publicKey": "A" * 43, "signature": "B" * 86, "signedAt": 1795368095089, "nonce": "n"},
        "caps": ["agent-kind", "approvals"],
        **params,
    }
    made.pop(without, None)
    return request("connect", made, CONNECT_ID)


def request(method: str, params: object = None, request_id: str = "7") -> bytes:
    """A request."""
    return json.dumps({"type": "req", "id": request_id, "method": method, "params": params or {}}).encode()


def answer(request_id: str, payload: object) -> bytes:
    """A good answer."""
    return json.dumps({"type": "res", "id": request_id, "ok": True, "payload": payload}).encode()


def hello(**changed: object) -> bytes:
    """The captured hello with other members in its payload."""
    whole: dict[str, Any] = json.loads(captured("hello"))
    whole["payload"].update(changed)
    return json.dumps(whole).encode()


def fresh(password: str = PASSWORD) -> ControlDialogue:
    """A connection at its beginning."""
    return ControlDialogue(Secret(password.encode()), PUBLIC, UPSTREAM)


def connecting() -> ControlDialogue:
    """A connection whose connect has gone to the sandbox."""
    dialogue = fresh()
    assert isinstance(dialogue.from_browser(connect()), Forward)
    return dialogue


def connected() -> ControlDialogue:
    """A connection that is let in."""
    dialogue = connecting()
    assert isinstance(dialogue.from_sandbox(captured("hello")), Forward)
    return dialogue


def passed(outcome: Forward | Answer | Refuse) -> dict[str, Any]:
    """What goes on, read."""
    assert isinstance(outcome, Forward), outcome
    read: dict[str, Any] = json.loads(outcome.octets)
    return read
