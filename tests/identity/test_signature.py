"""Signatures on ID tokens, beside what the suite of cheats tries."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from coral_gate.errors import SignInRefused
from coral_gate.identity.keys import ALGORITHMS
from coral_gate.identity.signature import read_header, verified_claims
from tests.identity.forging import Forger, b64, flipped, forger, part
from tests.identity.test_keys import keys

CLAIMS = {"iss": "x", "sub": "y"}
_GOOD = {algorithm: forger(algorithm).sign(CLAIMS) for algorithm in sorted(ALGORITHMS)}


def verify(token: str, by: Forger) -> dict[str, object]:
    return verified_claims(read_header(token, ALGORITHMS), keys(by.jwk)[0])


class SignatureTests(SynchronousTestCase):
    """`read_header` and `verified_claims`."""

    def refuses(self, reason: str, token: str, by: Forger) -> None:
        self.assertEqual(self.assertRaises(SignInRefused, verify, token, by).reason, reason)

    def test_good(self) -> None:
        """Each algorithm."""
        for algorithm, token in _GOOD.items():
            self.assertEqual(verify(token, forger(algorithm)), CLAIMS)

    def test_every_bit(self) -> None:
        """No bit of a signature may be another, with any algorithm."""
        for algorithm in ("ES256", "EdDSA"):
            for bit in range(512):
                self.refuses("id_token.signature", flipped(_GOOD[algorithm], bit), forger(algorithm))
        for bit in range(0, 2048, 97):
            self.refuses("id_token.signature", flipped(_GOOD["RS256"], bit), forger("RS256"))

    def test_key_of_another_form(self) -> None:
        """A token of one algorithm with the key of another."""
        for algorithm, token in _GOOD.items():
            for other in ALGORITHMS - {algorithm}:
                self.refuses("id_token.signature", token, forger(other))

    def test_one_spelling(self) -> None:
        """Padding, whitespace, other alphabets and stray bits make it another text, which is refused."""
        head, claims, signature = _GOOD["ES256"].split(".")
        for wrong in (
            f"{head}=.{claims}.{signature}",
            f"{head}.{claims}.{signature}==",
            f"{head}.{claims}.{signature}\n",
            f" {head}.{claims}.{signature}",
        ):
            self.refuses("id_token.malformed", wrong, forger("ES256"))
        last = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
        other = last[last.index(signature[-1]) ^ 1]
        self.refuses("id_token.malformed", f"{head}.{claims}.{signature[:-1]}{other}", forger("ES256"))

    def test_headers(self) -> None:
        """Unknown members are ignored, extensions that must be understood are not, and the type is a JWT's."""
        signer = forger("ES256")
        for fine in (
            {"x": 1},
            {"typ": None},
            {"typ": "jwt"},
            {"typ": "application/jwt"},
            {"x5c": ["A" * 2000]},
            {"jku": "https://e.example"},
        ):
            self.assertEqual(verify(signer.sign(CLAIMS, fine), signer), CLAIMS)
        for wrong, reason in (
            ({"crit": []}, "malformed"),
            ({"crit": ["b64"], "b64": False}, "malformed"),
            ({"b64": True}, "malformed"),
            ({"kid": 5}, "malformed"),
            ({"typ": "at+jwt"}, "type"),
            ({"typ": 5}, "type"),
            ({"alg": None}, "algorithm"),
            ({"alg": ["ES256"]}, "algorithm"),
            ({"alg": "es256"}, "algorithm"),
            ({"alg": "ES384"}, "algorithm"),
        ):
            self.refuses(f"id_token.{reason}", signer.sign(CLAIMS, wrong), signer)

    def test_too_long(self) -> None:
        """A good signature over more than any issuer has to say, and a header longer than that."""
        signer = forger("ES256")
        self.refuses("id_token.malformed", signer.sign({**CLAIMS, "x": "y" * 13000}), signer)
        self.refuses("id_token.malformed", signer.sign(CLAIMS, {"x": "y" * 4000}), signer)

    def test_encrypted(self) -> None:
        """An encrypted token has five parts and is not taken."""
        self.refuses("id_token.malformed", f"{part({'alg': 'RSA-OAEP', 'enc': 'A256GCM'})}.a.b.c.d", forger())

    def test_no_claims(self) -> None:
        """A good signature over something that is no set of claims."""
        signer = forger("EdDSA")
        head = part({"alg": "EdDSA", "kid": signer.kid})
        for payload in (b"[]", b"", b'{"a":1,"a":2}', b"\xff"):
            text = f"{head}.{b64(payload)}"
            self.refuses("claims.malformed", f"{text}.{b64(signer._signature(text.encode()))}", signer)

    def test_shows_nothing(self) -> None:
        """The token is not in the repr."""
        self.assertNotIn(_GOOD["RS256"], repr(read_header(_GOOD["RS256"], ALGORITHMS)))

    @given(st.text(max_size=80) | st.from_regex(r"[A-Za-z0-9_-]{0,20}(\.[A-Za-z0-9_-]{0,20}){0,4}", fullmatch=True))
    def test_nothing_else_escapes(self, token: str) -> None:
        """Any text gives the refusal."""
        self.assertRaises(SignInRefused, verify, token, forger("ES256"))

    @given(
        st.dictionaries(
            st.sampled_from(["alg", "kid", "typ", "crit", "jwk", "b64", "x"]), st.none() | st.text() | st.integers() | st.lists(st.text())
        )
    )
    def test_nothing_else_escapes_headers(self, header: dict[str, object]) -> None:
        """Any header gives claims or the refusal."""
        try:
            verify(forger("EdDSA").sign(CLAIMS, header), forger("EdDSA"))
        except SignInRefused:
            pass
