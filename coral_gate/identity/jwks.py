"""
Fetching an issuer's keys, and fetching them again when it has changed them (OpenID Connect Core 1.0 §10.1.1).
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

from attrs import define, field

from coral_gate.identity.answers import ACCEPT_JSON, asked, json_text
from coral_gate.identity.keys import IssuerKey, choose_key, parse_keys
from coral_gate.identity.metadata import IssuerMetadata
from coral_gate.identity.refusals import Document, Refusal, refused
from coral_gate.identity.remembered import Remembered
from coral_gate.interfaces import IHTTPClient

MAX_AGE = timedelta(hours=1)
"""How long keys are used before they are fetched anew: a key that the issuer withdrew counts no longer than this."""

REFETCH = timedelta(seconds=30)
"""The least time between two fetches for the sake of an unknown key."""


@define
class IssuerKeys:
    """The keys that an issuer signs with now."""

    _keys: Remembered[tuple[IssuerKey, ...]]
    _now: Callable[[], datetime]
    _refetched_at: datetime | None = field(init=False, default=None)

    async def find(self, algorithm: str, kid: str | None) -> IssuerKey:
        """
        The key that a token names.

        :raises SignInRefused: `id_token.key_unknown`, also after a look at the issuer's newest keys; `id_token.key_ambiguous`.
        :raises IssuerUnavailable: the keys could not be fetched.
        """
        key = choose_key(await self._keys.get(), algorithm, kid)
        if key is None and self._may_refetch():
            key = choose_key(await self._keys.renew(), algorithm, kid)
        if key is None:
            raise refused(Refusal.JWS_KEY_UNKNOWN)
        return key

    def _may_refetch(self) -> bool:
        now, last = self._now(), self._refetched_at
        if last is not None and timedelta(0) <= now - last < REFETCH:
            return False
        self._refetched_at = now
        return True


def issuer_keys(metadata: Remembered[IssuerMetadata], http: IHTTPClient, now: Callable[[], datetime]) -> IssuerKeys:
    """The keys that the issuer's metadata points to, fetched when they are first needed."""

    async def fetch() -> tuple[IssuerKey, ...]:
        url = (await metadata.get()).jwks_uri
        answer = await asked(Document.JWKS, http.get(url, [ACCEPT_JSON]))
        return parse_keys(json_text(Document.JWKS, answer))

    return IssuerKeys(Remembered(fetch, now, MAX_AGE), now)
