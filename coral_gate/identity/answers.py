"""
Taking an issuer's HTTP answers: only a whole 200 of JSON is one, everything else has its word.
"""

from __future__ import annotations

from collections.abc import Awaitable

from coral_gate.errors import AnswerTooLarge, UpstreamFault, UpstreamTooSlow, UpstreamUnreachable
from coral_gate.identity.refusals import Document, Outage, unavailable
from coral_gate.model import HTTPAnswer

ACCEPT_JSON = (b"Accept", b"application/json")

_JSON_TYPES = frozenset({b"application/json", b"application/jwk-set+json"})  # RFC 7517 §8.5.2


async def asked(document: Document, answer: Awaitable[HTTPAnswer]) -> HTTPAnswer:
    """
    Wait for an answer.

    :raises IssuerUnavailable: none came that is whole.
    """
    try:
        return await answer
    except UpstreamUnreachable:
        raise unavailable(document, Outage.UNREACHABLE) from None
    except UpstreamTooSlow:
        raise unavailable(document, Outage.TOO_SLOW) from None
    except AnswerTooLarge:
        raise unavailable(document, Outage.TOO_LARGE) from None
    except UpstreamFault:
        raise unavailable(document, Outage.BROKEN) from None


def json_text(document: Document, answer: HTTPAnswer) -> bytes:
    """
    The content of a 200 that says it is JSON.

    :raises IssuerUnavailable: it is a redirect, another status, or of another type.
    """
    if 300 <= answer.status < 400:
        raise unavailable(document, Outage.REDIRECTED)
    if answer.status != 200:
        raise unavailable(document, Outage.STATUS)
    if not says_json(answer):
        raise unavailable(document, Outage.CONTENT_TYPE)
    return answer.body


def says_json(answer: HTTPAnswer) -> bool:
    """Whether there is exactly one Content-Type and it is JSON's."""
    types = [value for name, value in answer.fields if name.lower() == b"content-type"]
    return len(types) == 1 and types[0].split(b";")[0].strip().lower() in _JSON_TYPES
