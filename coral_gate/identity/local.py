"""
The built-in issuer: a small OpenID provider for trying out, on loopback, for whoever reads the daemon's terminal.

It shares no code with the client in `oidc.py`: what both had wrong in the same way, no try-out would show.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from urllib.parse import urlencode, urlsplit

from attrs import define, field

from coral_gate.identity.local_bounds import check_interfaces, check_local_url
from coral_gate.identity.local_grants import Grant, Grants
from coral_gate.identity.local_page import LocalUser, sign_in_page
from coral_gate.identity.local_requests import (
    AuthorizationRequest,
    Unacceptable,
    came_through_a_proxy,
    read_authorization,
    read_form,
)
from coral_gate.identity.local_signing import ALGORITHM, SigningKey, half_hash
from coral_gate.identity.local_word import OneTimeWord, TooManyTries
from coral_gate.model import HTTPAnswer

Fields = Sequence[tuple[bytes, bytes]]

_TOKEN_LIFE_S = 300
_ALWAYS = (
    (b"Cache-Control", b"no-store"),
    (b"X-Content-Type-Options", b"nosniff"),
    # Not `no-referrer`: with it a browser says `Origin: null` when it posts the form.
    (b"Referrer-Policy", b"same-origin"),
)


@define
class LocalIssuer:
    """
    Answers requests below the path of its own address; `local_issuer` makes one.

    :ivar issuer: its identifier, e.g. `https://gate.localhost:8443/local-issuer`.
    :ivar _now: gives the time, aware UTC.
    """

    issuer: str
    _client_id: str
    _redirect_uri: str
    _users: tuple[LocalUser, ...]
    _word: OneTimeWord
    _grants: Grants
    _now: Callable[[], datetime]
    _stylesheet: str | None
    _key: SigningKey = field(init=False, factory=SigningKey)

    def respond(self, method: bytes, target: bytes, fields: Fields, body: bytes) -> HTTPAnswer:
        """
        Answer one request; nothing that a request holds makes it raise.

        :param target: the request's target as it stands, path and query.
        :param body: all of it; the caller bounds it.
        """
        if came_through_a_proxy(fields):
            return _text(403, "The built-in issuer is for trying out on one machine and serves no proxy.")
        path, _, query = target.partition(b"?")
        served = self._served(path)
        if served is None:
            return _text(404, "There is nothing here.")
        allowed, serve = served
        if method not in allowed:
            return _text(405, "This cannot be done here.", (b"Allow", b", ".join(allowed)))
        return serve(method, query, fields, body)

    def _served(self, path: bytes) -> tuple[tuple[bytes, ...], Callable[[bytes, bytes, Fields, bytes], HTTPAnswer]] | None:
        base = urlsplit(self.issuer).path.encode("ascii")
        if not path.startswith(base + b"/"):
            return None
        return {
            b"/.well-known/openid-configuration": ((b"GET",), self._discovery),
            b"/jwks": ((b"GET",), self._jwks),
            b"/authorize": ((b"GET", b"POST"), self._authorize),
            b"/token": ((b"POST",), self._token),
        }.get(path[len(base) :])

    def _discovery(self, method: bytes, query: bytes, fields: Fields, body: bytes) -> HTTPAnswer:
        return _json(
            200,
            {
                "issuer": self.issuer,
                "authorization_endpoint": f"{self.issuer}/authorize",
                "token_endpoint": f"{self.issuer}/token",
                "jwks_uri": f"{self.issuer}/jwks",
                "response_types_supported": ["code"],
                "response_modes_supported": ["query"],
                "grant_types_supported": ["authorization_code"],
                "subject_types_supported": ["public"],
                "scopes_supported": ["openid", "email", "profile"],
                "id_token_signing_alg_values_supported": [ALGORITHM],
                "token_endpoint_auth_methods_supported": ["none"],
                "code_challenge_methods_supported": ["S256"],
                "authorization_response_iss_parameter_supported": True,
            },
        )

    def _jwks(self, method: bytes, query: bytes, fields: Fields, body: bytes) -> HTTPAnswer:
        return _json(200, {"keys": [self._key.public]})

    def _authorize(self, method: bytes, query: bytes, fields: Fields, body: bytes) -> HTTPAnswer:
        try:
            request = read_authorization(query, self._client_id, self._redirect_uri)
            if request.silent:
                return self._back(request, {"error": "login_required"})
            return self._page(200) if method == b"GET" else self._judge_form(request, fields, read_form(body))
        except Unacceptable:
            return _text(400, "This is not a request that the built-in issuer answers.")

    def _judge_form(self, request: AuthorizationRequest, fields: Fields, form: dict[str, str]) -> HTTPAnswer:
        if not self._same_origin(fields):
            return _text(403, "The form was sent from elsewhere.")
        subject = form.get("user", "")
        if all(user.subject != subject for user in self._users):
            raise Unacceptable
        try:
            if not self._word.spend(form.get("word", "")):
                return self._page(403, "That is not the word on the terminal; each is good once, and the last one printed counts.")
        except TooManyTries:
            return self._page(429, "Too many tries; wait a minute.")
        grant = Grant(subject, request.nonce, request.challenge, request.redirect_uri, self._now())
        return self._back(request, {"code": self._grants.give(grant)})

    def _token(self, method: bytes, query: bytes, fields: Fields, body: bytes) -> HTTPAnswer:
        try:
            form = read_form(body)
        except Unacceptable:
            return _json(400, {"error": "invalid_request"})
        if form.get("client_id") != self._client_id or form.get("grant_type") != "authorization_code":
            return _json(400, {"error": "invalid_client"})
        grant = self._grants.take(form.get("code", ""))
        if grant is None or not _redeems(grant, form):
            return _json(400, {"error": "invalid_grant"})
        return _json(200, self._tokens(grant))

    def _tokens(self, grant: Grant) -> dict[str, object]:
        access_token = secrets.token_urlsafe(32)  # it opens nothing: there is nothing to ask with it
        now = int(self._now().timestamp())
        user = next(user for user in self._users if user.subject == grant.subject)
        claims = {
            "iss": self.issuer,
            "sub": user.subject,
            "aud": self._client_id,
            "iat": now,
            "exp": now + _TOKEN_LIFE_S,
            "auth_time": int(grant.granted_at.timestamp()),
            "nonce": grant.nonce,
            "at_hash": half_hash(access_token),
            "email": user.email,
            "email_verified": True,
            "name": user.name,
        }
        return {
            "access_token": access_token,
            "token_type": "Bearer",
            "expires_in": _TOKEN_LIFE_S,
            "scope": "openid email profile",
            "id_token": self._key.sign(claims),
        }

    def _back(self, request: AuthorizationRequest, answer: dict[str, str]) -> HTTPAnswer:
        query = urlencode({**answer, "state": request.state, "iss": self.issuer})
        location = f"{request.redirect_uri}?{query}".encode("ascii")
        return HTTPAnswer(303, (*_ALWAYS, (b"Location", location), (b"Content-Length", b"0")), b"")

    def _page(self, status: int, complaint: str = "") -> HTTPAnswer:
        policy = (
            "default-src 'none'; style-src 'self'; form-action 'self' "
            f"{_origin(self._redirect_uri)}; frame-ancestors 'none'; base-uri 'none'"
        )
        text = sign_in_page(self._users, complaint, self._stylesheet)
        return _answer(status, b"text/html; charset=utf-8", text, (b"Content-Security-Policy", policy.encode("ascii")))

    def _same_origin(self, fields: Fields) -> bool:
        origins = [value for name, value in fields if name.lower() == b"origin"]
        return all(origin == _origin(self.issuer).encode("ascii") for origin in origins)


def local_issuer(
    issuer: str,
    redirect_uri: str,
    client_id: str,
    interfaces: Iterable[str],
    users: Iterable[LocalUser],
    announce: Callable[[str], None],
    stylesheet: str | None = None,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
    entropy: Callable[[int], bytes] = secrets.token_bytes,
) -> LocalIssuer:
    """
    A built-in issuer for one client, which has no secret and proves itself by PKCE.

    :param issuer: its identifier, on the portal's origin and with a path: where it is mounted.
    :param interfaces: the numeric address of every listener of the daemon.
    :param announce: shows a one-time word to whoever sits at the terminal: once now, and again after each sign-in.
    :raises ValueError: a listener is not on loopback, a name is not below `.localhost`, or there is no user; a full sentence.
    """
    check_interfaces(interfaces)
    check_local_url(issuer)
    check_local_url(redirect_uri)
    known = tuple(users)
    if not known or len({user.subject for user in known}) < len(known):
        raise ValueError("The built-in issuer needs users, each with a subject of their own.")
    word = OneTimeWord(announce, entropy, now)
    grants = Grants(now, lambda: base64.urlsafe_b64encode(entropy(32)).decode("ascii").rstrip("="))
    return LocalIssuer(issuer, client_id, redirect_uri, known, word, grants, now, stylesheet)


def _redeems(grant: Grant, form: dict[str, str]) -> bool:
    proof = hashlib.sha256(form.get("code_verifier", "").encode("utf-8", "replace")).digest()
    challenge = base64.urlsafe_b64encode(proof).rstrip(b"=")
    return form.get("redirect_uri") == grant.redirect_uri and hmac.compare_digest(challenge, grant.challenge.encode("ascii"))


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def _json(status: int, members: dict[str, object]) -> HTTPAnswer:
    return _answer(status, b"application/json", json.dumps(members).encode("ascii"))


def _text(status: int, sentence: str, *more: tuple[bytes, bytes]) -> HTTPAnswer:
    return _answer(status, b"text/plain; charset=utf-8", f"{sentence}\n".encode(), *more)


def _answer(status: int, kind: bytes, text: bytes, *more: tuple[bytes, bytes]) -> HTTPAnswer:
    fields = (*_ALWAYS, (b"Content-Type", kind), (b"Content-Length", b"%d" % len(text)), *more)
    return HTTPAnswer(status, fields, text)
