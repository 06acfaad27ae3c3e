"""
The connect of OpenClaw's protocol (version 4): the secret goes in on the way there, what a browser must not hold comes out on the way back.
"""

from __future__ import annotations

from typing import Final

from attrs import frozen

from coral_gate.channels.openclaw_frames import ID_CHARACTERS, METHOD_CHARACTERS
from coral_gate.channels.strict_json import NotStrictJSON, read_object
from coral_gate.model import Secret

CONNECT_BYTES: Final = 64 * 1024
"""The longest connect that is taken from a browser; the real page's has under 2 KiB."""

CLIENTS: Final = frozenset(("openclaw-control-ui", "webchat-ui"))
"""The clients that a browser may be. Others (cli, gateway-client, node hosts) are trusted by OpenClaw without a device's key."""

SCOPES: Final = frozenset(
    "operator." + word
    for word in ("admin", "read", "write", "sessions.read", "sessions.write", "approvals", "questions", "pairing", "talk")
)
"""The scopes that may be asked for: OpenClaw's own without `operator.talk.secrets`, which shows keys of speech services."""

# The device's signature covers them, so that they can be neither dropped nor replaced, and each would win over the password.
_SIGNED_CREDENTIALS: Final = ("token", "deviceToken", "bootstrapToken")

_AUTH_KEPT: Final = ("method", "role", "scopes")
_PLACES: Final = ("configPath", "stateDir")

LOCKED_OUT: Final = frozenset(("AUTH_PASSWORD_MISMATCH", "AUTH_TOKEN_MISMATCH", "AUTH_DEVICE_TOKEN_MISMATCH", "AUTH_RATE_LIMITED"))
"""With these a sandbox says that our secret is not the one it expects, or that such attempts were too many."""

# A sandbox can write anything there, our secret too: what is recorded and shown is one of these.
_REJECTIONS: Final = LOCKED_OUT | {
    "AUTH_PASSWORD_MISSING",
    "AUTH_PASSWORD_NOT_CONFIGURED",
    "AUTH_REQUIRED",
    "AUTH_SCOPE_MISMATCH",
    "AUTH_UNAUTHORIZED",
    "CONTROL_UI_BUILD_MISMATCH",
    "CONTROL_UI_DEVICE_IDENTITY_REQUIRED",
    "CONTROL_UI_ORIGIN_NOT_ALLOWED",
    "DEVICE_AUTH_INVALID",
    "DEVICE_AUTH_NONCE_MISMATCH",
    "DEVICE_AUTH_SIGNATURE_EXPIRED",
    "DEVICE_AUTH_SIGNATURE_INVALID",
    "DEVICE_IDENTITY_REQUIRED",
    "INVALID_REQUEST",
    "NOT_PAIRED",
    "PAIRING_REQUIRED",
    "PROTOCOL_MISMATCH",
    "UNAVAILABLE",
}


class Unacceptable(ValueError):
    """A message that does not pass; its text is for the browser and holds nothing of the message."""


@frozen
class Origins:
    """
    Where the sandbox's own addresses point, and where a browser finds the same.

    :param upstream_host: what the gate sends as Host, and OpenClaw makes its addresses of: `127.0.0.1:18789`.
    :param public: the sandbox's origin for browsers: `https://<id>.sandboxes.example`.
    """

    upstream_host: str
    public: str

    def rewritten(self, url: str) -> str:
        """The address with the public origin where it points to the upstream host; any other as it is."""
        scheme, separator, rest = url.partition("://")
        if not separator or scheme not in ("http", "https", "ws", "wss") or not rest.startswith(self.upstream_host):
            return url
        path = rest[len(self.upstream_host) :]
        if path and path[0] not in "/?#":
            return url
        return (self.public if scheme.startswith("http") else "ws" + self.public.removeprefix("http")) + path

    def rewritten_everywhere(self, value: object) -> object:
        """The value with every string in it rewritten, at any depth; names of members stay."""
        if isinstance(value, str):
            return self.rewritten(value)
        if isinstance(value, list):
            return [self.rewritten_everywhere(item) for item in value]
        if isinstance(value, dict):
            return {name: self.rewritten_everywhere(item) for name, item in value.items()}
        return value


def request_parts(request: dict[str, object]) -> tuple[str, str]:
    """
    The id and the method of a request.

    :raises Unacceptable: it is no request, or one of the two is missing, no string, empty or too long.
    """
    request_id, method = request.get("id"), request.get("method")
    if request.get("type") != "req":
        raise Unacceptable("not a request")
    if not isinstance(request_id, str) or not 0 < len(request_id) <= ID_CHARACTERS:
        raise Unacceptable("a request without an id that we take")
    if not isinstance(method, str) or not 0 < len(method) <= METHOD_CHARACTERS:
        raise Unacceptable("a request without a method that we take")
    return request_id, method


def read_connect(message: bytes) -> tuple[str, dict[str, object]]:
    """
    Read the first message of a browser.

    :return: its id, and the whole.
    :raises Unacceptable: it is no connect.
    """
    if len(message) > CONNECT_BYTES:
        raise Unacceptable("the first message is too long")
    try:
        request = read_object(message)
    except NotStrictJSON:
        raise Unacceptable("the first message is not strict JSON") from None
    request_id, method = request_parts(request)
    if method != "connect":
        raise Unacceptable("the first request must be connect")
    return request_id, request


def connect_id(message: bytes) -> str | None:
    """The id of a browser's connect, for answering it ourselves; None where the message is no connect."""
    try:
        return read_connect(message)[0]
    except Unacceptable:
        return None


def signed_in(request: dict[str, object], secret: Secret) -> dict[str, object]:
    """
    The connect as it goes to the sandbox: as an operator, with our secret and no other credential.

    :raises Unacceptable: who it says it is, what it wants or what it brings along is not what a page of ours may.
    """
    params = request.get("params")
    if not isinstance(params, dict):
        raise Unacceptable("connect without parameters")
    _check_who(params)
    auth = params.get("auth", {})
    if not isinstance(auth, dict):
        raise Unacceptable("connect with an auth that is no object")
    if any(name in auth for name in _SIGNED_CREDENTIALS):
        raise Unacceptable("the gate signs in for you: connect without a token")
    signed = {**params, "role": "operator", "auth": {"password": secret.reveal().decode("utf-8")}}
    return {**request, "params": signed}


def _check_who(params: dict[str, object]) -> None:
    client, scopes = params.get("client"), params.get("scopes", [])
    if params.get("role", "operator") != "operator":
        raise Unacceptable("connect in another role than operator")
    client_id = client.get("id") if isinstance(client, dict) else None
    if not isinstance(client_id, str) or client_id not in CLIENTS:
        raise Unacceptable("connect from a client that we do not take")
    if not isinstance(scopes, list) or not all(isinstance(scope, str) and scope in SCOPES for scope in scopes):
        raise Unacceptable("connect with scopes that we do not take")


def scrubbed_hello(answer: dict[str, object], origins: Origins, methods: frozenset[str]) -> dict[str, object]:
    """
    The good answer to connect as it goes to the browser: no credential, no path of the machine, no address that only the gate reaches.

    :param methods: those that pass; of what the sandbox says it offers the page is told these alone, and offers no others.
    :raises Unacceptable: it is no hello that makes an operator of the browser.
    """
    payload = answer.get("payload")
    if not isinstance(payload, dict) or payload.get("type") != "hello-ok":
        raise Unacceptable("the sandbox's answer to connect is no hello")
    auth = payload.get("auth")
    if not isinstance(auth, dict) or auth.get("role") != "operator":
        raise Unacceptable("the sandbox's hello makes no operator")
    kept: dict[str, object] = {**payload, "auth": {name: auth[name] for name in _AUTH_KEPT if name in auth}}
    if isinstance(snapshot := kept.get("snapshot"), dict):
        kept["snapshot"] = {name: value for name, value in snapshot.items() if name not in _PLACES}
    if isinstance(features := kept.get("features"), dict):
        kept["features"] = with_methods(features, methods)
    return {**answer, "payload": origins.rewritten_everywhere(kept)}


def with_methods(features: dict[str, object], methods: frozenset[str]) -> dict[str, object]:
    """The same with its list `methods` cut down to those that pass; as it is where there is no such list."""
    offered = features.get("methods")
    if not isinstance(offered, list):
        return features
    return {**features, "methods": [name for name in offered if isinstance(name, str) and name in methods]}


def rejection_code(answer: dict[str, object]) -> str:
    """Why the sandbox refused the connect: its `error.details.code`, else its `error.code`; "OTHER" where we know neither."""
    error = answer.get("error")
    if not isinstance(error, dict):
        return "OTHER"
    details = error.get("details")
    for code in (details.get("code") if isinstance(details, dict) else None, error.get("code")):
        if isinstance(code, str) and code in _REJECTIONS:
            return code
    return "OTHER"
