"""
The built-in issuer's key: made at start, gone with the process. It signs with ES256 (RFC 7518 §3.4).
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping

from attrs import define, field
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, SECP256R1, EllipticCurvePrivateKey, generate_private_key
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256

ALGORITHM = "ES256"
"""What its ID tokens are signed with."""


@define
class SigningKey:
    """A key pair that nobody else ever sees the private half of."""

    _private: EllipticCurvePrivateKey = field(init=False, factory=lambda: generate_private_key(SECP256R1()), repr=False)

    def sign(self, claims: Mapping[str, object]) -> str:
        """The claims as a signed token (RFC 7515 §3.1)."""
        header = {"alg": ALGORITHM, "typ": "JWT", "kid": self.kid}
        text = f"{_part(header)}.{_part(claims)}"
        r, s = decode_dss_signature(self._private.sign(text.encode("ascii"), ECDSA(SHA256())))
        return f"{text}.{base64url(r.to_bytes(32, 'big') + s.to_bytes(32, 'big'))}"

    @property
    def public(self) -> dict[str, str]:
        """The public half as a JWK (RFC 7518 §6.2.1)."""
        return {**self._point(), "kid": self.kid, "use": "sig", "alg": ALGORITHM}

    @property
    def kid(self) -> str:
        """The key's thumbprint (RFC 7638 §3)."""
        return base64url(hashlib.sha256(_compact(self._point())).digest())

    def _point(self) -> dict[str, str]:
        numbers = self._private.public_key().public_numbers()
        x, y = (base64url(number.to_bytes(32, "big")) for number in (numbers.x, numbers.y))
        return {"crv": "P-256", "kty": "EC", "x": x, "y": y}


def half_hash(token: str) -> str:
    """What `at_hash` says about an access token that comes along (OpenID Connect Core 1.0 §3.1.3.6)."""
    return base64url(hashlib.sha256(token.encode("ascii")).digest()[:16])


def base64url(octets: bytes) -> str:
    """RFC 7515 §2."""
    return base64.urlsafe_b64encode(octets).decode("ascii").rstrip("=")


def _part(members: Mapping[str, object]) -> str:
    return base64url(_compact(members))


def _compact(members: Mapping[str, object]) -> bytes:
    return json.dumps(members, separators=(",", ":"), sort_keys=True).encode("ascii")
