"""
The words that say why nobody was signed in, for the audit log and for operators; a person never sees them.
"""

from __future__ import annotations

import enum

from coral_gate.errors import IssuerUnavailable, SignInRefused


class Refusal(enum.StrEnum):
    """Why a sign-in was refused; docs/sign-in.md says what each means."""

    CALLBACK_MALFORMED = "callback.malformed"
    CALLBACK_ISSUER_ABSENT = "callback.issuer_absent"
    CALLBACK_ISSUER_WRONG = "callback.issuer_wrong"
    STATE_ABSENT = "state.absent"
    STATE_UNKNOWN = "state.unknown"
    BROWSER_OTHER = "browser.other"
    ATTEMPT_EXPIRED = "attempt.expired"
    ATTEMPT_ISSUER = "attempt.issuer"
    ISSUER_DENIED = "issuer.denied"
    ISSUER_ERROR = "issuer.error"
    CODE_ABSENT = "code.absent"
    CODE_REFUSED = "code.refused"
    JWS_MALFORMED = "id_token.malformed"
    JWS_TYPE = "id_token.type"
    JWS_ALGORITHM = "id_token.algorithm"
    JWS_KEY_UNKNOWN = "id_token.key_unknown"
    JWS_KEY_AMBIGUOUS = "id_token.key_ambiguous"
    JWS_SIGNATURE = "id_token.signature"
    CLAIMS_MALFORMED = "claims.malformed"
    ISS_WRONG = "iss.wrong"
    SUB_ABSENT = "sub.absent"
    SUB_MALFORMED = "sub.malformed"
    AUD_WRONG = "aud.wrong"
    AUD_EXTRA = "aud.extra"
    AZP_WRONG = "azp.wrong"
    EXP_ABSENT = "exp.absent"
    EXP_PAST = "exp.past"
    IAT_ABSENT = "iat.absent"
    IAT_FUTURE = "iat.future"
    IAT_OLD = "iat.old"
    NBF_FUTURE = "nbf.future"
    NONCE_WRONG = "nonce.wrong"
    AUTH_TIME_ABSENT = "auth_time.absent"
    AUTH_TIME_OLD = "auth_time.old"
    AUTH_TIME_FUTURE = "auth_time.future"
    AT_HASH_WRONG = "at_hash.wrong"
    USERINFO_SUBJECT = "userinfo.subject"
    EMAIL_UNVERIFIED = "email.unverified"
    NOT_LISTED = "person.not_listed"


class Document(enum.StrEnum):
    """What was asked of the issuer."""

    DISCOVERY = "discovery"
    JWKS = "jwks"
    TOKENS = "token"
    USERINFO = "userinfo"


class Outage(enum.StrEnum):
    """What was wrong with the issuer's answer; with the document it makes the reason, e.g. `jwks.too_slow`."""

    UNREACHABLE = "unreachable"
    TOO_SLOW = "too_slow"
    TOO_LARGE = "too_large"
    BROKEN = "broken"
    REDIRECTED = "redirected"
    STATUS = "status"
    CONTENT_TYPE = "content_type"
    MALFORMED = "malformed"
    ISSUER = "issuer"
    ENDPOINT = "endpoint"
    UNSUPPORTED = "unsupported"
    CLIENT_REFUSED = "client_refused"


def refused(why: Refusal) -> SignInRefused:
    """The refusal for a reason."""
    return SignInRefused(why.value)


def unavailable(document: Document, outage: Outage) -> IssuerUnavailable:
    """The fault for an answer of the issuer that cannot be used."""
    return IssuerUnavailable(f"{document}.{outage}")
