"""
Finding an issuer's endpoints (OpenID Connect Discovery 1.0 §4).
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

from coral_gate.identity.answers import ACCEPT_JSON, asked, json_text
from coral_gate.identity.metadata import IssuerMetadata, metadata_url, parse_metadata
from coral_gate.identity.refusals import Document
from coral_gate.identity.remembered import Remembered
from coral_gate.interfaces import IHTTPClient

MAX_AGE = timedelta(hours=1)
"""How long metadata is used before it is fetched anew."""


def discovery(issuer: str, http: IHTTPClient, now: Callable[[], datetime]) -> Remembered[IssuerMetadata]:
    """The metadata of one issuer, fetched when it is first needed."""

    async def fetch() -> IssuerMetadata:
        answer = await asked(Document.DISCOVERY, http.get(metadata_url(issuer), [ACCEPT_JSON]))
        return parse_metadata(json_text(Document.DISCOVERY, answer), issuer)

    return Remembered(fetch, now, MAX_AGE)
