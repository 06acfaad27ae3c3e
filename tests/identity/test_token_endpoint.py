"""What is sent to the token endpoint, and what is made of its answers."""

from __future__ import annotations

import base64
from datetime import timedelta
from urllib.parse import parse_qs, unquote_plus

from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from coral_gate.errors import IssuerUnavailable, SignInRefused
from coral_gate.identity.metadata import IssuerMetadata
from coral_gate.identity.policy import sign_in_policy
from coral_gate.identity.settings import ClientAuthentication, ClientSettings
from coral_gate.identity.token_endpoint import TokenRequest, read_tokens, token_request
from coral_gate.model import HTTPAnswer, Secret, SignInAttempt
from tests.identity.tampering import json_answer
from tests.identity.wall_clock import BEGIN

ISSUER = "https://id.example"
SECRET = "s:e c&r+é"
ATTEMPT = SignInAttempt(
    issuer=ISSUER,
    state_digest=b"s" * 32,
    browser_digest=b"b" * 32,
    nonce="n" * 43,
    code_verifier=Secret(b"v" * 43),
    redirect_uri="https://gate.example/sign-in/callback",
    return_to="/",
    max_age_s=None,
    begun_at=BEGIN,
    expires_at=BEGIN + timedelta(minutes=10),
)
METADATA = IssuerMetadata(
    issuer=ISSUER,
    authorization_endpoint=ISSUER + "/auth",
    token_endpoint=ISSUER + "/token",
    jwks_uri=ISSUER + "/jwks",
    userinfo_endpoint=None,
    iss_in_callback=True,
    token_auth_methods=frozenset(how.value for how in ClientAuthentication),
)
_ANY = st.none() | st.text() | st.integers() | st.lists(st.text())
GOOD = {"id_token": "i", "access_token": "a", "token_type": "Bearer"}


def request(how: ClientAuthentication) -> TokenRequest:
    secret = None if how is ClientAuthentication.NONE else Secret(SECRET.encode())
    settings = ClientSettings(issuer=ISSUER, client_id="us: &", policy=sign_in_policy(subject=["1"]), secret=secret, authentication=how)
    return token_request(settings, METADATA, ATTEMPT, "c/o+d e")


def form(asked: TokenRequest) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(asked.body.decode(), strict_parsing=True).items()}


class RequestTests(SynchronousTestCase):
    """`token_request`."""

    def test_what_proves_the_code(self) -> None:
        """Code, verifier and redirect address go with each kind of authentication."""
        for how in ClientAuthentication:
            sent = form(request(how))
            self.assertEqual((sent["grant_type"], sent["code"]), ("authorization_code", "c/o+d e"))
            self.assertEqual((sent["code_verifier"], sent["redirect_uri"]), ("v" * 43, ATTEMPT.redirect_uri))

    def test_basic(self) -> None:
        """Both halves are form-encoded before they are joined, and are not in the content."""
        asked = request(ClientAuthentication.BASIC)
        scheme, _, pair = dict(asked.fields)[b"Authorization"].partition(b" ")
        client, secret = base64.b64decode(pair).decode().split(":")
        self.assertEqual((scheme, unquote_plus(client), unquote_plus(secret)), (b"Basic", "us: &", SECRET))
        self.assertFalse({"client_id", "client_secret"} & set(form(asked)))

    def test_post(self) -> None:
        """Both are in the content, and there is no field."""
        asked = request(ClientAuthentication.POST)
        self.assertEqual((form(asked)["client_id"], form(asked)["client_secret"]), ("us: &", SECRET))
        self.assertNotIn(b"Authorization", dict(asked.fields))

    def test_none(self) -> None:
        """A public client says who it is and has nothing to prove it but PKCE."""
        asked = request(ClientAuthentication.NONE)
        self.assertEqual(form(asked)["client_id"], "us: &")
        self.assertNotIn("client_secret", form(asked))

    def test_unsupported(self) -> None:
        """An issuer that does not take the configured authentication gets no secret."""
        settings = ClientSettings(issuer=ISSUER, client_id="us", policy=sign_in_policy(subject=["1"]), secret=Secret(b"x"))
        narrow = evolve(METADATA, token_auth_methods=frozenset({"private_key_jwt"}))
        fault = self.assertRaises(IssuerUnavailable, token_request, settings, narrow, ATTEMPT, "code")
        self.assertEqual(fault.reason, "token.unsupported")

    def test_shows_nothing(self) -> None:
        """Neither the secret, the code nor the verifier is in the repr."""
        for how in ClientAuthentication:
            self.assertEqual(repr(request(how)), "TokenRequest(url='https://id.example/token')")


class AnswerTests(SynchronousTestCase):
    """`read_tokens`."""

    def fails(self, reason: str, answer: HTTPAnswer) -> None:
        self.assertEqual(self.assertRaises(IssuerUnavailable, read_tokens, answer).reason, f"token.{reason}")

    def test_good(self) -> None:
        """Tokens, the type in any case, not shown."""
        tokens = read_tokens(json_answer({**GOOD, "token_type": "bearer", "expires_in": 5}))
        self.assertEqual((tokens.id_token, tokens.access_token, repr(tokens)), ("i", "a", "Tokens()"))

    def test_grant_refused(self) -> None:
        """`invalid_grant` is about this sign-in."""
        for status in (400, 401):
            refusal = self.assertRaises(SignInRefused, read_tokens, json_answer({"error": "invalid_grant"}, status))
            self.assertEqual(refusal.reason, "code.refused")

    def test_our_fault(self) -> None:
        """Our own credentials, or our own request."""
        self.fails("client_refused", json_answer({"error": "invalid_client"}, 401))
        self.fails("client_refused", json_answer({"error": "unauthorized_client"}, 400))
        self.fails("status", json_answer({"error": "invalid_request"}, 400))
        self.fails("status", json_answer({"error": "invalid_grant"}, 500))
        self.fails("status", HTTPAnswer(400, ((b"Content-Type", b"text/html"),), b'{"error": "invalid_grant"}'))
        self.fails("malformed", HTTPAnswer(400, ((b"Content-Type", b"application/json"),), b"<html>"))

    def test_content_type(self) -> None:
        """JSON, said once."""
        for fields in ((), ((b"Content-Type", b"text/html"),), ((b"Content-Type", b"application/json"), (b"content-type", b"text/html"))):
            self.fails("content_type", HTTPAnswer(200, fields, b"{}"))
        said = ((b"content-TYPE", b"Application/JSON ; charset=UTF-8"),)
        self.assertEqual(read_tokens(HTTPAnswer(200, said, json_answer(GOOD).body)).access_token, "a")

    def test_access_tokens(self) -> None:
        """One that could not stand in a request's field is not taken."""
        for wrong in ("", "a b", "a\r\nX: y", "é", "a" * 8193, 5, None):
            self.fails("malformed", json_answer({**GOOD, "access_token": wrong}))

    @given(
        st.dictionaries(st.sampled_from([*GOOD, "error"]), _ANY),
        st.sampled_from([200, 400, 401]),
    )
    def test_nothing_else_escapes(self, members: dict[str, object], status: int) -> None:
        """Any members give tokens or one of the two faults."""
        try:
            read_tokens(json_answer({**GOOD, **members}, status))
        except (IssuerUnavailable, SignInRefused):
            pass
