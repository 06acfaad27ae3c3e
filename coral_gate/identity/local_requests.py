"""
What the built-in issuer is asked: authorization requests and forms, read strictly.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from urllib.parse import parse_qsl

from attrs import frozen

_LONGEST = 8192
_TOKEN = re.compile(r"[A-Za-z0-9_-]{16,256}\Z")
_CHALLENGE = re.compile(r"[A-Za-z0-9_-]{43}\Z")  # RFC 7636 §4.2: SHA-256 in base64url
_PROXY_FIELDS = frozenset({b"forwarded", b"via", b"x-real-ip", b"x-client-ip", b"client-ip", b"true-client-ip", b"cf-connecting-ip"})


class Unacceptable(Exception):
    """A request that the issuer answers with 400 and its own words; it goes back to nobody."""


@frozen
class AuthorizationRequest:
    """
    A request to sign somebody in (OpenID Connect Core 1.0 §3.1.2.1).

    :ivar silent: `prompt=none`: nobody may be asked anything.
    """

    redirect_uri: str
    state: str
    nonce: str
    challenge: str
    silent: bool


def read_authorization(query: bytes, client_id: str, redirect_uri: str) -> AuthorizationRequest:
    """
    Read an authorization request of the one client with its one redirect address.

    :raises Unacceptable: it is of another, asks for something else than a code, or has no PKCE with S256.
    """
    asked = read_form(query)
    if asked.get("client_id") != client_id or asked.get("redirect_uri") != redirect_uri:
        raise Unacceptable
    if asked.get("response_type") != "code" or "openid" not in asked.get("scope", "").split():
        raise Unacceptable
    state, nonce, challenge = (asked.get(name, "") for name in ("state", "nonce", "code_challenge"))
    if not (_TOKEN.match(state) and _TOKEN.match(nonce) and _CHALLENGE.match(challenge)):
        raise Unacceptable
    if asked.get("code_challenge_method") != "S256" or not _known_mode(asked.get("response_mode")):
        raise Unacceptable
    return AuthorizationRequest(redirect_uri, state, nonce, challenge, silent="none" in asked.get("prompt", "").split())


def read_form(text: bytes) -> dict[str, str]:
    """
    Read `application/x-www-form-urlencoded`, each name once.

    :raises Unacceptable: it is too long, not ASCII, no form, or names something twice.
    """
    if len(text) > _LONGEST or not text.isascii():
        raise Unacceptable
    if not text:
        return {}
    try:
        pairs = parse_qsl(text.decode("ascii"), keep_blank_values=True, strict_parsing=True, errors="strict", max_num_fields=32)
    except ValueError:
        raise Unacceptable from None
    named = dict(pairs)
    if len(named) != len(pairs):
        raise Unacceptable
    return named


def came_through_a_proxy(fields: Sequence[tuple[bytes, bytes]]) -> bool:
    """Whether any field says that somebody stands between the browser and this machine."""
    names = (name.lower().replace(b"_", b"-") for name, _ in fields)
    return any(name in _PROXY_FIELDS or name.startswith(b"x-forwarded") for name in names)


def _known_mode(mode: str | None) -> bool:
    return mode in (None, "query")
