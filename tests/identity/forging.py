"""
Signed tokens of any kind, right and wrong, written by hand: nothing of it is shared with what judges them.
"""

from __future__ import annotations

import base64
import functools
import hashlib
import hmac
import json
from collections.abc import Mapping
from typing import Any

from attrs import field, frozen
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey


def b64(octets: bytes) -> str:
    return base64.urlsafe_b64encode(octets).decode().rstrip("=")


def unb64(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def part(members: Mapping[str, Any]) -> str:
    return b64(json.dumps(members).encode())


def claims_of(token: str) -> dict[str, Any]:
    claims: dict[str, Any] = json.loads(unb64(token.split(".")[1]))
    return claims


def header_of(token: str) -> dict[str, Any]:
    header: dict[str, Any] = json.loads(unb64(token.split(".")[0]))
    return header


@frozen
class Forger:
    """A key pair, its name, and the tokens that it signs."""

    private: PrivateKey
    kid: str
    algorithm: str
    extra: Mapping[str, Any] = field(factory=dict)

    def sign(self, claims: Mapping[str, Any], header: Mapping[str, Any] | None = None) -> str:
        """A token; `header` is laid over the right one, and a member that is None is left out."""
        whole = {"alg": self.algorithm, "kid": self.kid, "typ": "JWT", **(header or {})}
        text = f"{part({name: value for name, value in whole.items() if value is not None})}.{part(claims)}"
        return f"{text}.{b64(self._signature(text.encode()))}"

    @property
    def jwk(self) -> dict[str, Any]:
        return {**self._public(), "kid": self.kid, "use": "sig", "alg": self.algorithm, **self.extra}

    @property
    def pem(self) -> bytes:
        form = serialization.PublicFormat.SubjectPublicKeyInfo
        return self.private.public_key().public_bytes(serialization.Encoding.PEM, form)

    def _signature(self, text: bytes) -> bytes:
        if isinstance(self.private, ed25519.Ed25519PrivateKey):
            return self.private.sign(text)
        if isinstance(self.private, ec.EllipticCurvePrivateKey):
            r, s = decode_dss_signature(self.private.sign(text, ec.ECDSA(hashes.SHA256())))
            return r.to_bytes(32, "big") + s.to_bytes(32, "big")
        if self.algorithm.startswith("PS"):
            return self.private.sign(text, padding.PSS(padding.MGF1(hashes.SHA256()), 32), hashes.SHA256())
        return self.private.sign(text, padding.PKCS1v15(), hashes.SHA256())

    def _public(self) -> dict[str, Any]:
        public = self.private.public_key()
        if isinstance(public, ed25519.Ed25519PublicKey):
            raw = public.public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
            return {"kty": "OKP", "crv": "Ed25519", "x": b64(raw)}
        if isinstance(public, ec.EllipticCurvePublicKey):
            point = public.public_numbers()
            return {"kty": "EC", "crv": "P-256", "x": b64(point.x.to_bytes(32, "big")), "y": b64(point.y.to_bytes(32, "big"))}
        numbers = public.public_numbers()
        return {"kty": "RSA", "n": b64(numbers.n.to_bytes(public.key_size // 8, "big")), "e": b64(b"\x01\x00\x01")}


@functools.cache
def forger(algorithm: str = "RS256", kid: str = "forged") -> Forger:
    """A forger, made once for each algorithm and name."""
    if algorithm in ("RS256", "PS256"):
        return Forger(rsa.generate_private_key(65537, 2048), kid, algorithm)
    if algorithm == "ES256":
        return Forger(ec.generate_private_key(ec.SECP256R1()), kid, algorithm)
    return Forger(ed25519.Ed25519PrivateKey.generate(), kid, algorithm)


def unsigned(claims: Mapping[str, Any], alg: str = "none") -> str:
    """A token with `alg: none` and no signature."""
    return f"{part({'alg': alg, 'typ': 'JWT'})}.{part(claims)}."


def keyed_with(secret: bytes, claims: Mapping[str, Any], kid: str) -> str:
    """A token with `alg: HS256`, its shared secret being what everybody knows: the public key."""
    text = f"{part({'alg': 'HS256', 'kid': kid, 'typ': 'JWT'})}.{part(claims)}"
    return f"{text}.{b64(hmac.digest(secret, text.encode(), hashlib.sha256))}"


def flipped(token: str, bit: int = 100) -> str:
    """The same token with one bit of its signature turned over."""
    head, claims, signature = token.split(".")
    octets = bytearray(unb64(signature))
    octets[bit // 8] ^= 1 << (bit % 8)
    return f"{head}.{claims}.{b64(bytes(octets))}"
