"""
What a sandbox's OpenClaw is told: the gate's part of its configuration file.

OpenClaw writes into that file too, so the gate's part is laid over what is there.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from attrs import frozen

from coral_gate.model import Secret


@frozen
class Model:
    """
    The model that an agent asks.

    :ivar base_url: of an API in the manner of OpenAI's chat completions, e.g. `http://127.0.0.1:9001/v1`.
    :ivar name: the model's name there.
    :ivar key: sent as a bearer token; None sends a word that means nothing.
    """

    base_url: str
    name: str
    key: Secret | None = None


def settings(origin: str, port: int, password: Secret | None, model: Model | None) -> dict[str, Any]:
    """
    The gate's part.

    :param origin: the sandbox's own web origin: the only one whose pages may open a control connection.
    :param password: None leaves the one that is there.
    """
    auth: dict[str, Any] = {"mode": "password"}
    if password is not None:
        auth["password"] = password.reveal().decode("ascii")
    gateway = {
        "mode": "local",
        "bind": "loopback",
        "port": port,
        "auth": auth,
        "controlUi": {"allowedOrigins": [origin]},
        "terminal": {"enabled": False},
    }
    return {"gateway": gateway} | ({} if model is None else _model(model))


def _model(model: Model) -> dict[str, Any]:
    key = "none" if model.key is None else model.key.reveal().decode("ascii")
    described = {
        "id": model.name,
        "name": model.name,
        "reasoning": False,
        "input": ["text"],
        "cost": {"input": 0, "output": 0, "cacheRead": 0, "cacheWrite": 0},
        "contextWindow": 128000,
        "maxTokens": 4096,
    }
    provider = {"baseUrl": model.base_url, "apiKey": key, "api": "openai-completions", "models": [described]}
    return {
        "models": {"mode": "merge", "providers": {"gate": provider}},
        "agents": {"defaults": {"model": {"primary": f"gate/{model.name}"}}},
    }


def laid_over(there: bytes, ours: Mapping[str, Any]) -> bytes:
    """
    The file with our part over what is there; what cannot be read as a JSON object is replaced.

    Of `gateway.auth` nothing but our words and the old password stays: another way in is none of the sandbox's to open.
    """
    whole = _merged(_object(there), ours)
    auth = whole["gateway"]["auth"]
    whole["gateway"]["auth"] = {name: auth[name] for name in ("mode", "password") if name in auth}
    return (json.dumps(whole, indent=1) + "\n").encode()


def has_password(there: bytes) -> bool:
    """Whether a file says with which password the gate comes in."""
    gateway = _object(there).get("gateway")
    auth = gateway.get("auth") if isinstance(gateway, dict) else None
    return isinstance(auth, dict) and isinstance(auth.get("password"), str) and auth["password"] != ""


def _object(text: bytes) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _merged(there: Mapping[str, Any], ours: Mapping[str, Any]) -> dict[str, Any]:
    whole = dict(there)
    for name, value in ours.items():
        below = there.get(name)
        whole[name] = _merged(below if isinstance(below, dict) else {}, value) if isinstance(value, dict) else value
    return whole
