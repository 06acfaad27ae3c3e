"""An issuer's keys."""

from __future__ import annotations

import json
from typing import Any

from cryptography.hazmat.primitives.asymmetric import rsa
from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from coral_gate.errors import IssuerUnavailable, SignInRefused
from coral_gate.identity.keys import ALGORITHMS, IssuerKey, choose_key, parse_keys
from tests.identity.forging import Forger, b64, forger


def keys(*entries: Any) -> tuple[IssuerKey, ...]:
    return parse_keys(json.dumps({"keys": entries}).encode())


class ParseTests(SynchronousTestCase):
    """`parse_keys`."""

    def test_each_form(self) -> None:
        """A key of each form, for its algorithm."""
        for algorithm in ALGORITHMS:
            (key,) = keys(forger(algorithm).jwk)
            self.assertEqual((key.kid, key.algorithms), ("forged", {algorithm}))

    def test_without_alg(self) -> None:
        """An RSA key that does not say for which algorithm is for both of RSA's."""
        (key,) = keys({name: value for name, value in forger().jwk.items() if name not in ("alg", "use", "kid")})
        self.assertEqual((key.kid, key.algorithms), (None, {"RS256", "PS256"}))

    def test_left_out(self) -> None:
        """Keys for encryption, for other algorithms, of other kinds, shared secrets, and keys that are broken."""
        good = forger().jwk
        for changes in (
            {"use": "enc"},
            {"alg": "RS512"},
            {"alg": "none"},
            {"alg": "HS256"},
            {"kty": "oct", "k": "c2VjcmV0"},
            {"kty": "XYZ"},
            {"kty": None},
            {"key_ops": ["sign"]},
            {"key_ops": "verify"},
            {"n": "!"},
            {"n": 5},
            {"e": b64(b"\x01")},
            {"e": b64(b"\x02")},
            {"e": b64(b"\x01" + b"\x00" * 7 + b"\x01")},
            {"kid": 5},
            {"kid": "k" * 256},
        ):
            self.assertEqual(keys({**good, **changes}), (), changes)

    def test_weak(self) -> None:
        """RSA keys below 2048 bits, and above 8192, where one verification costs too much."""
        weak = Forger(rsa.generate_private_key(65537, 1024), "weak", "RS256")
        self.assertEqual(keys(weak.jwk), ())
        self.assertEqual(keys({**forger().jwk, "n": b64(b"\xff" * 1025)}), ())

    def test_wrong_curve(self) -> None:
        """A point that is not on the curve, and another curve."""
        good = forger("ES256").jwk
        self.assertEqual(keys({**good, "x": b64(b"\x01" * 32)}), ())
        self.assertEqual(keys({**good, "crv": "P-384"}), ())
        self.assertEqual(keys({**forger("EdDSA").jwk, "crv": "X25519"}), ())

    def test_one_bad_key_among_good_ones(self) -> None:
        """The others are still there."""
        self.assertEqual([key.kid for key in keys({"kty": "RSA"}, forger().jwk)], ["forged"])

    def test_addresses_are_not_kept(self) -> None:
        """Certificates and their addresses mean nothing: the key is what `n` and `e` say."""
        (key,) = keys({**forger().jwk, "x5u": "https://evil.example/", "x5c": ["AAAA"], "d": "AQAB", "p": "x"})
        self.assertFalse(key.key.is_private)
        self.assertNotIn("evil", repr(key) + repr(key.key.as_dict()))

    def test_malformed(self) -> None:
        """No set, too many keys, or entries that are no objects."""
        for document in (b"", b"[]", b"{}", b'{"keys": {}}', b'{"keys": ["x"]}', json.dumps({"keys": [{}] * 65}).encode()):
            self.assertEqual(self.assertRaises(IssuerUnavailable, parse_keys, document).reason, "jwks.malformed")

    @given(
        st.sampled_from(sorted(forger().jwk)),
        st.none() | st.integers() | st.text() | st.lists(st.text()) | st.dictionaries(st.text(), st.text()),
    )
    def test_nothing_else_escapes(self, name: str, value: object) -> None:
        """Any value in any member gives keys or the fault."""
        for algorithm in ALGORITHMS:
            keys({**forger(algorithm).jwk, name: value})


class ChooseTests(SynchronousTestCase):
    """`choose_key`."""

    def test_by_name(self) -> None:
        """The named one, if it is for the algorithm."""
        known = keys(forger().jwk, forger("ES256", kid="other").jwk)
        self.assertIs(choose_key(known, "RS256", "forged"), known[0])
        self.assertIsNone(choose_key(known, "RS256", "other"))
        self.assertIsNone(choose_key(known, "RS256", ""))

    def test_without_name(self) -> None:
        """The only one for the algorithm."""
        known = keys(forger().jwk, forger("ES256", kid="other").jwk)
        self.assertIs(choose_key(known, "ES256", None), known[1])
        self.assertIsNone(choose_key(known, "EdDSA", None))

    def test_ambiguous(self) -> None:
        """Two of one name, or two without one asked for."""
        for kid in ("forged", None):
            refusal = self.assertRaises(SignInRefused, choose_key, keys(forger().jwk, forger().jwk), "RS256", kid)
            self.assertEqual(refusal.reason, "id_token.key_ambiguous")
