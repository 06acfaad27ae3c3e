"""
The signature on an ID token (RFC 7515, RFC 8725).
"""

from __future__ import annotations

import base64
import binascii
import warnings
from collections.abc import Collection

from attrs import field, frozen
from joserfc.errors import JoseError, SecurityWarning
from joserfc.jws import JWSRegistry, deserialize_compact

from coral_gate.identity.keys import ALGORITHMS, IssuerKey
from coral_gate.identity.refusals import Refusal, refused
from coral_gate.identity.strict_json import json_object

_MAX_TOKEN = 16384
_MAX_HEADER = 4096


@frozen
class SignedToken:
    """
    A token whose header has been read and whose signature has not been checked.

    :ivar text: the whole token; a secret of the back end.
    :ivar kid: the name of the key, from the header.
    """

    text: str = field(repr=False)
    algorithm: str
    kid: str | None


class _Registry(JWSRegistry):
    """Headers of the size that issuers send; what we do not know in them is ignored (RFC 7515 §4), but for `crit`."""

    max_header_length = _MAX_HEADER
    max_payload_length = _MAX_TOKEN


def read_header(token: str, algorithms: Collection[str]) -> SignedToken:
    """
    Read which key a token wants to be checked with. Keys and addresses in the header itself (`jwk`, `jku`, `x5u`, `x5c`)
    mean nothing here: whoever forged the token wrote them.

    :param algorithms: those that are configured, a subset of `ALGORITHMS`.
    :raises SignInRefused: `id_token.malformed`, `id_token.type`, `id_token.algorithm`.
    """
    header = _header(token)
    algorithm, kid = header.get("alg"), header.get("kid")
    if str(header.get("typ", "JWT")).upper() not in ("JWT", "APPLICATION/JWT"):
        raise refused(Refusal.JWS_TYPE)
    if not isinstance(algorithm, str) or algorithm not in algorithms or algorithm not in ALGORITHMS:
        raise refused(Refusal.JWS_ALGORITHM)
    if "crit" in header or "b64" in header or not (kid is None or isinstance(kid, str)):
        raise refused(Refusal.JWS_MALFORMED)
    return SignedToken(text=token, algorithm=algorithm, kid=kid)


def verified_claims(token: SignedToken, key: IssuerKey) -> dict[str, object]:
    """
    The claims of a token that this key has signed.

    :raises SignInRefused: `id_token.signature`; or `claims.malformed`, where the signed thing is no set of claims.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SecurityWarning)  # issuers say EdDSA, whatever RFC 9864 would rather have
            registry = _Registry(algorithms=[token.algorithm], strict_check_header=False)
            signed = deserialize_compact(token.text, key.key, registry=registry)
    except (JoseError, ValueError):
        raise refused(Refusal.JWS_SIGNATURE) from None
    try:
        return json_object(signed.payload)
    except ValueError:
        raise refused(Refusal.CLAIMS_MALFORMED) from None


def _header(token: str) -> dict[str, object]:
    parts = token.split(".")
    if len(token) > _MAX_TOKEN or len(parts) != 3 or len(parts[0]) > _MAX_HEADER:
        raise refused(Refusal.JWS_MALFORMED)
    try:
        first, _, _ = (_base64url(part) for part in parts)
        return json_object(first)
    except ValueError:
        raise refused(Refusal.JWS_MALFORMED) from None


def _base64url(text: str) -> bytes:
    # RFC 7515 §2, and only in the one form that an encoder gives, so that a token has one spelling.
    try:
        octets = base64.b64decode(text.encode("ascii") + b"=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (UnicodeEncodeError, binascii.Error):
        raise ValueError("not base64url") from None
    if base64.urlsafe_b64encode(octets).rstrip(b"=").decode("ascii") != text:
        raise ValueError("not base64url in its one form")
    return octets
