"""
What the claims of an ID token prove (OpenID Connect Core 1.0 §3.1.3.7, §2).
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from attrs import field, frozen

from coral_gate.identity.refusals import Refusal, refused

SKEW_S = 60
"""How far the issuer's clock and ours may differ, in seconds."""

MAX_TOKEN_AGE_S = 600
"""How long ago an ID token may have been made, in seconds: as long as an attempt lives."""

_SUBJECT = re.compile(r"[\x20-\x7e]{1,255}\Z")
_LATEST = datetime(9999, 1, 1, tzinfo=UTC).timestamp()


@frozen
class Expected:
    """
    What a token must agree with.

    :ivar begun_at: when the attempt began, aware UTC.
    :ivar max_age_s: as the attempt asked, or None.
    :ivar algorithm: what the token is signed with; with `access_token`, which came with it, it gives `at_hash`.
    """

    issuer: str
    client_id: str
    nonce: str
    begun_at: datetime
    max_age_s: int | None
    algorithm: str
    access_token: str = field(repr=False)


def judge_id_token(claims: Mapping[str, object], expected: Expected, now: datetime) -> None:
    """
    Check every claim that binds a verified token to this issuer, this client, this attempt and this moment.

    :param now: aware, UTC.
    :raises SignInRefused: with the reason word of the first claim that is wrong.
    """
    _check_issuer(claims, expected)
    _check_subject(claims)
    _check_audience(claims, expected)
    _check_times(claims, now)
    _check_nonce(claims, expected)
    _check_authentication_time(claims, expected, now)
    _check_access_token(claims, expected)


def moment(claims: Mapping[str, object], name: str) -> datetime | None:
    """
    A NumericDate claim (RFC 7519 §2) as an aware UTC time; None where it is absent.

    :raises SignInRefused: `claims.malformed`.
    """
    value = claims.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < _LATEST:
        raise refused(Refusal.CLAIMS_MALFORMED)
    return datetime.fromtimestamp(value, UTC)


def _check_issuer(claims: Mapping[str, object], expected: Expected) -> None:
    if claims.get("iss") != expected.issuer:
        raise refused(Refusal.ISS_WRONG)


def _check_subject(claims: Mapping[str, object]) -> None:
    subject = claims.get("sub")
    if subject is None:
        raise refused(Refusal.SUB_ABSENT)
    if not isinstance(subject, str) or not _SUBJECT.match(subject):
        raise refused(Refusal.SUB_MALFORMED)


def _check_audience(claims: Mapping[str, object], expected: Expected) -> None:
    audience = claims.get("aud")
    several = audience if isinstance(audience, list) else [audience]
    if expected.client_id not in several:
        raise refused(Refusal.AUD_WRONG)
    party = claims.get("azp", expected.client_id if len(several) == 1 else None)
    if party != expected.client_id:
        raise refused(Refusal.AZP_WRONG)
    if any(other != expected.client_id for other in several):
        # We trust no other audience: whoever it is could have been given this very token and hand it to us.
        raise refused(Refusal.AUD_EXTRA)


def _check_times(claims: Mapping[str, object], now: datetime) -> None:
    skew = timedelta(seconds=SKEW_S)
    expires, issued, not_before = (moment(claims, name) for name in ("exp", "iat", "nbf"))
    if expires is None:
        raise refused(Refusal.EXP_ABSENT)
    if now >= expires + skew:
        raise refused(Refusal.EXP_PAST)
    if issued is None:
        raise refused(Refusal.IAT_ABSENT)
    if issued > now + skew:
        raise refused(Refusal.IAT_FUTURE)
    if now - issued > timedelta(seconds=MAX_TOKEN_AGE_S):
        raise refused(Refusal.IAT_OLD)
    if not_before is not None and not_before > now + skew:
        raise refused(Refusal.NBF_FUTURE)


def _check_nonce(claims: Mapping[str, object], expected: Expected) -> None:
    nonce = claims.get("nonce")
    if not isinstance(nonce, str) or not hmac.compare_digest(nonce.encode("utf-8", "replace"), expected.nonce.encode("ascii")):
        raise refused(Refusal.NONCE_WRONG)


def _check_authentication_time(claims: Mapping[str, object], expected: Expected, now: datetime) -> None:
    authenticated, skew = moment(claims, "auth_time"), timedelta(seconds=SKEW_S)
    if authenticated is not None and authenticated > now + skew:
        raise refused(Refusal.AUTH_TIME_FUTURE)
    if expected.max_age_s is None:
        return
    if authenticated is None:
        raise refused(Refusal.AUTH_TIME_ABSENT)
    # Measured from when we asked: how long the person then takes over the issuer's pages does not make it older.
    if authenticated < expected.begun_at - timedelta(seconds=expected.max_age_s) - skew:
        raise refused(Refusal.AUTH_TIME_OLD)


def _check_access_token(claims: Mapping[str, object], expected: Expected) -> None:
    stated, half = claims.get("at_hash"), _half_hash(expected.access_token, expected.algorithm)
    if stated is None:
        return
    if not isinstance(stated, str) or not hmac.compare_digest(stated.encode("utf-8", "replace"), half):
        raise refused(Refusal.AT_HASH_WRONG)


def _half_hash(token: str, algorithm: str) -> bytes:
    # OpenID Connect Core 1.0 §3.1.3.6: the signature's own hash function, which for Ed25519 is SHA-512 (RFC 8032 §5.1).
    digest = (hashlib.sha512 if algorithm == "EdDSA" else hashlib.sha256)(token.encode("utf-8")).digest()
    return base64.urlsafe_b64encode(digest[: len(digest) // 2]).rstrip(b"=")
