"""
The client of an OpenID Connect issuer: authorization code flow with PKCE (OpenID Connect Core 1.0 §3.1, RFC 9700 §2.1).
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import TypeAlias
from urllib.parse import urlencode

from attrs import define, evolve
from zope.interface import implementer

from coral_gate.errors import SignInRefused
from coral_gate.identity.answers import ACCEPT_JSON, asked, json_text
from coral_gate.identity.callback import Callback, parse_callback
from coral_gate.identity.discovery import discovery
from coral_gate.identity.id_token import Expected, judge_id_token
from coral_gate.identity.jwks import IssuerKeys, issuer_keys
from coral_gate.identity.metadata import IssuerMetadata
from coral_gate.identity.person import Person, person_of, with_userinfo
from coral_gate.identity.policy import SignInPolicy
from coral_gate.identity.refusals import Document, Outage, Refusal, refused, unavailable
from coral_gate.identity.remembered import Remembered
from coral_gate.identity.settings import ClientSettings
from coral_gate.identity.signature import read_header, verified_claims
from coral_gate.identity.strict_json import json_object
from coral_gate.identity.token_endpoint import Tokens, read_tokens, token_request
from coral_gate.interfaces import IHTTPClient, IIdentityProvider
from coral_gate.model import Identity, Secret, SignInAttempt, SignInStart, UserId

ATTEMPT_LIFE = timedelta(minutes=10)
"""How long a person may take at the issuer."""

PROMPTS = frozenset({"login", "consent", "select_account"})
"""What the issuer may be asked to show; never `none`: a sign-in is a person's act."""


Known: TypeAlias = Callable[[UserId], Awaitable[bool]]
"""Whether somebody was let in by name, by an administrator or the operator."""


async def nobody_known(who: UserId) -> bool:
    """The lists alone decide."""
    return False


@implementer(IIdentityProvider)
@define
class OpenIDProvider:
    """
    Judges people by what one issuer says about them.

    :ivar _now: gives the time, aware UTC.
    :ivar _token: gives a fresh unguessable token of 43 base64url characters (256 bits).
    :ivar _known: whether somebody may sign in whom no list names.
    """

    _settings: ClientSettings
    _metadata: Remembered[IssuerMetadata]
    _keys: IssuerKeys
    _http: IHTTPClient
    _now: Callable[[], datetime]
    _token: Callable[[], str]
    _known: Known

    async def begin(
        self,
        redirect_uri: str,
        browser_digest: bytes,
        return_to: str = "/",
        max_age_s: int | None = None,
        prompt: str | None = None,
    ) -> SignInStart:
        """Begin a sign-in; see `IIdentityProvider`."""
        if prompt is not None and prompt not in PROMPTS:
            raise ValueError("not a prompt that we ask for")
        metadata = await self._metadata.get()
        state, nonce, verifier, now = self._token(), self._token(), self._token(), self._now()
        attempt = SignInAttempt(
            issuer=self._settings.issuer,
            state_digest=digest(state),
            browser_digest=browser_digest,
            nonce=nonce,
            code_verifier=Secret(verifier.encode("ascii")),
            redirect_uri=redirect_uri,
            return_to=return_to,
            max_age_s=max_age_s,
            begun_at=now,
            expires_at=now + ATTEMPT_LIFE,
        )
        return SignInStart(self._authorization_url(metadata, attempt, state, prompt), attempt)

    async def finish(self, attempt: SignInAttempt, callback_query: bytes, browser_digest: bytes) -> Identity:
        """Judge what a browser brought back; see `IIdentityProvider`."""
        callback = parse_callback(callback_query)
        self._check_browser(attempt, callback, browser_digest)
        metadata = await self._metadata.get()
        code = self._code(metadata, callback)
        tokens = await self._redeem(metadata, attempt, code)
        person = await self._person(attempt, tokens)
        if self._settings.policy.wants(person) and metadata.userinfo_endpoint is not None:
            person = with_userinfo(person, await self._userinfo(metadata.userinfo_endpoint, tokens))
        if not await self._known(person.user):
            self._admit(person)
        return person.identity

    def admit_by(self, policy: SignInPolicy) -> None:
        """Let people in by these lists from now on."""
        self._settings = evolve(self._settings, policy=policy)

    def _admit(self, person: Person) -> None:
        try:
            self._settings.policy.admit(person)
        except SignInRefused as refusal:
            raise SignInRefused(refusal.reason, person.user) from refusal

    def _authorization_url(self, metadata: IssuerMetadata, attempt: SignInAttempt, state: str, prompt: str | None) -> str:
        challenge = digest(attempt.code_verifier.reveal().decode("ascii"))
        parameters = {
            "response_type": "code",
            "client_id": self._settings.client_id,
            "redirect_uri": attempt.redirect_uri,
            "scope": self._settings.scope,
            "state": state,
            "nonce": attempt.nonce,
            "code_challenge": base64.urlsafe_b64encode(challenge).rstrip(b"=").decode("ascii"),
            "code_challenge_method": "S256",
        }
        if attempt.max_age_s is not None:
            parameters["max_age"] = str(attempt.max_age_s)
        if prompt is not None:
            parameters["prompt"] = prompt
        joint = "&" if "?" in metadata.authorization_endpoint else "?"
        return metadata.authorization_endpoint + joint + urlencode(parameters)

    def _check_browser(self, attempt: SignInAttempt, callback: Callback, browser_digest: bytes) -> None:
        if callback.state is None:
            raise refused(Refusal.STATE_ABSENT)
        if not hmac.compare_digest(digest(callback.state), attempt.state_digest):
            raise refused(Refusal.STATE_UNKNOWN)
        if not hmac.compare_digest(browser_digest, attempt.browser_digest):
            raise refused(Refusal.BROWSER_OTHER)
        if self._now() >= attempt.expires_at:
            raise refused(Refusal.ATTEMPT_EXPIRED)
        if attempt.issuer != self._settings.issuer:
            raise refused(Refusal.ATTEMPT_ISSUER)

    def _code(self, metadata: IssuerMetadata, callback: Callback) -> str:
        # RFC 9207 §2.4: also an error is believed only from the issuer that was asked.
        if callback.iss is None and metadata.iss_in_callback:
            raise refused(Refusal.CALLBACK_ISSUER_ABSENT)
        if callback.iss is not None and callback.iss != self._settings.issuer:
            raise refused(Refusal.CALLBACK_ISSUER_WRONG)
        if callback.error is not None:
            raise refused(Refusal.ISSUER_DENIED if callback.error == "access_denied" else Refusal.ISSUER_ERROR)
        if callback.code is None:
            raise refused(Refusal.CODE_ABSENT)
        return callback.code

    async def _redeem(self, metadata: IssuerMetadata, attempt: SignInAttempt, code: str) -> Tokens:
        request = token_request(self._settings, metadata, attempt, code)
        return read_tokens(await asked(Document.TOKENS, self._http.post(request.url, request.fields, request.body)))

    async def _person(self, attempt: SignInAttempt, tokens: Tokens) -> Person:
        token = read_header(tokens.id_token, self._settings.algorithms)
        claims = verified_claims(token, await self._keys.find(token.algorithm, token.kid))
        expected = Expected(
            issuer=self._settings.issuer,
            client_id=self._settings.client_id,
            nonce=attempt.nonce,
            begun_at=attempt.begun_at,
            max_age_s=attempt.max_age_s,
            algorithm=token.algorithm,
            access_token=tokens.access_token,
        )
        judge_id_token(claims, expected, self._now())
        return person_of(claims)

    async def _userinfo(self, url: str, tokens: Tokens) -> dict[str, object]:
        bearer = (b"Authorization", b"Bearer " + tokens.access_token.encode("utf-8"))
        answer = await asked(Document.USERINFO, self._http.get(url, [ACCEPT_JSON, bearer]))
        try:
            return json_object(json_text(Document.USERINFO, answer))
        except ValueError:
            raise unavailable(Document.USERINFO, Outage.MALFORMED) from None


def digest(token: str) -> bytes:
    """SHA-256 of a token, as attempts keep it."""
    return hashlib.sha256(token.encode("ascii")).digest()


def openid_provider(
    settings: ClientSettings,
    http: IHTTPClient,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
    token: Callable[[], str] = lambda: secrets.token_urlsafe(32),
    known: Known = nobody_known,
) -> OpenIDProvider:
    """
    A client of the configured issuer, which is asked for nothing before somebody signs in.

    :param known: whether somebody may sign in whom no list of the settings names.
    """
    metadata = discovery(settings.issuer, http, now)
    return OpenIDProvider(settings, metadata, issuer_keys(metadata, http, now), http, now, token, known)
