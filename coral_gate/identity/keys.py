"""
An issuer's public keys, and which of them may have signed a token (RFC 7517).
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping

from attrs import field, frozen
from joserfc.errors import JoseError, SecurityWarning
from joserfc.jwk import ECKey, Key, OKPKey, RSAKey

from coral_gate.identity.refusals import Document, Outage, Refusal, refused, unavailable
from coral_gate.identity.strict_json import json_object

_MAX_KEYS = 64
_MAX_KID = 255
_RSA_BITS = range(2048, 8193)  # RFC 7518 §3.3; the upper end bounds the work of one verification


@frozen
class _Form:
    """The public members that make a key of one form, and nothing else of it: no x5u, no x5c, no private half."""

    kty: str
    crv: str | None
    members: tuple[str, ...]


_RSA = _Form("RSA", None, ("kty", "n", "e"))
_FORMS: Mapping[str, _Form] = {
    "RS256": _RSA,
    "PS256": _RSA,
    "ES256": _Form("EC", "P-256", ("kty", "crv", "x", "y")),
    "EdDSA": _Form("OKP", "Ed25519", ("kty", "crv", "x")),
}

ALGORITHMS = frozenset(_FORMS)
"""What ID tokens may be signed with; never `none`, never a shared secret (RFC 8725 §3.1, §3.2)."""


@frozen
class IssuerKey:
    """
    One public key.

    :ivar kid: how tokens name it, or None.
    :ivar algorithms: what it may verify.
    """

    kid: str | None
    algorithms: frozenset[str]
    key: Key = field(repr=False, eq=False)


def parse_keys(document: bytes) -> tuple[IssuerKey, ...]:
    """
    Read a JWK Set; keys that we have no use for are left out (RFC 7517 §5).

    :raises IssuerUnavailable: `jwks.malformed`.
    """
    try:
        entries = json_object(document).get("keys")
        if not isinstance(entries, list) or len(entries) > _MAX_KEYS:
            raise ValueError("not a JWK Set that we take")
        return tuple(key for entry in entries if (key := _issuer_key(entry)) is not None)
    except ValueError:
        raise unavailable(Document.JWKS, Outage.MALFORMED) from None


def choose_key(keys: Iterable[IssuerKey], algorithm: str, kid: str | None) -> IssuerKey | None:
    """
    The one key that may have signed a token, or None where the issuer has none such.

    :param kid: from the token's header; without it the issuer may have but one key for the algorithm
        (OpenID Connect Core 1.0 §10.1).
    :raises SignInRefused: `id_token.key_ambiguous`.
    """
    fit = [key for key in keys if algorithm in key.algorithms and (kid is None or key.kid == kid)]
    if len(fit) > 1:
        raise refused(Refusal.JWS_KEY_AMBIGUOUS)
    return fit[0] if fit else None


def _issuer_key(entry: object) -> IssuerKey | None:
    if not isinstance(entry, dict):
        raise ValueError("a key is an object")
    fit = {name: form for name, form in _FORMS.items() if _fits(entry, name, form)}
    kid = entry.get("kid")
    if not fit or not (kid is None or (isinstance(kid, str) and len(kid) <= _MAX_KID)):
        return None
    key = _imported(entry, next(iter(fit.values())))
    return None if key is None else IssuerKey(kid=kid, algorithms=frozenset(fit), key=key)


def _fits(entry: Mapping[str, object], algorithm: str, form: _Form) -> bool:
    operations = entry.get("key_ops", ["verify"])
    return (
        entry.get("kty") == form.kty
        and (form.crv is None or entry.get("crv") == form.crv)
        and entry.get("use", "sig") == "sig"
        and entry.get("alg", algorithm) == algorithm
        and isinstance(operations, list)
        and "verify" in operations
    )


def _imported(entry: Mapping[str, object], form: _Form) -> Key | None:
    public = {name: value for name in form.members if isinstance(value := entry.get(name), str)}
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SecurityWarning)  # weak keys are left out below, without a word to anyone
            key: Key = {"RSA": RSAKey, "EC": ECKey, "OKP": OKPKey}[form.kty].import_key(public)  # type: ignore[attr-defined]  # mypy joins the classes to object
        return key if _strong(key) else None
    except (JoseError, ValueError, KeyError, TypeError):
        return None  # one bad key does not take the others away


def _strong(key: Key) -> bool:
    if not isinstance(key, RSAKey):
        return True
    numbers = key.public_key.public_numbers()
    return numbers.n.bit_length() in _RSA_BITS and numbers.e % 2 == 1 and 2 < numbers.e < 2**32
