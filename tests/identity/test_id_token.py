"""What claims prove, at the edges that the suite of cheats does not go to."""

from __future__ import annotations

import base64
import hashlib
from datetime import timedelta
from typing import Any

from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from coral_gate.errors import SignInRefused
from coral_gate.identity.id_token import Expected, judge_id_token, moment
from tests.identity.wall_clock import BEGIN

NOW = BEGIN.timestamp()
EXPECTED = Expected("https://id.example", "us", "n" * 43, BEGIN - timedelta(minutes=2), None, "RS256", "access")
GOOD: dict[str, Any] = {"iss": "https://id.example", "sub": "1", "aud": "us", "exp": NOW + 300, "iat": NOW - 1, "nonce": "n" * 43}
ANY = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.lists(st.text()) | st.dictionaries(st.text(), st.text())


class IDTokenTests(SynchronousTestCase):
    """`judge_id_token`."""

    def takes(self, expected: Expected = EXPECTED, **changes: object) -> None:
        judge_id_token({**GOOD, **changes}, expected, BEGIN)

    def refuses(self, reason: str, expected: Expected = EXPECTED, **changes: object) -> None:
        refusal = self.assertRaises(SignInRefused, judge_id_token, {**GOOD, **changes}, expected, BEGIN)
        self.assertEqual(refusal.reason, reason, changes)

    def test_good(self) -> None:
        """The least that is taken."""
        self.takes()

    def test_skew_to_the_second(self) -> None:
        """A minute either way, and not a moment more."""
        self.takes(exp=NOW - 59.5)
        self.refuses("exp.past", exp=NOW - 60)
        self.takes(iat=NOW + 60)
        self.refuses("iat.future", iat=NOW + 60.5)
        self.takes(nbf=NOW + 60)
        self.refuses("nbf.future", nbf=NOW + 60.5)

    def test_age(self) -> None:
        """Ten minutes old, and no older."""
        self.takes(iat=NOW - 600)
        self.refuses("iat.old", iat=NOW - 600.5)

    def test_audiences(self) -> None:
        """Us alone, in either form, and who asked for it is us."""
        self.takes(aud=["us"])
        self.takes(aud="us", azp="us")
        self.takes(aud=["us", "us"], azp="us")
        for wrong in ([], ["them"], "them", None, 5, {"us": 1}, [["us"]], "us ", ["US"]):
            self.refuses("aud.wrong", aud=wrong)
        self.refuses("azp.wrong", azp="them")
        self.refuses("azp.wrong", azp=None)
        self.refuses("azp.wrong", aud=["us", "them"])
        self.refuses("aud.extra", aud=["us", "them"], azp="us")
        self.refuses("aud.extra", aud=["us", None], azp="us")

    def test_subjects(self) -> None:
        """1 to 255 printable ASCII characters."""
        self.takes(sub="s" * 255)
        for wrong in ("", "s" * 256, "é", "a\nb", 5, ["x"]):
            self.refuses("sub.malformed", sub=wrong)

    def test_nonces(self) -> None:
        """Exactly ours, as a string."""
        for wrong in ("", "n" * 42, "n" * 44, "é" * 43, "\ud800", 5, ["n" * 43], None):
            self.refuses("nonce.wrong", nonce=wrong)

    def test_times_of_wrong_types(self) -> None:
        """Strings, truths, and numbers that are no times."""
        for wrong in ("1795348800", True, [NOW], float("nan"), float("inf"), -1, 10**400, 1e18):
            for name in ("exp", "iat", "nbf", "auth_time"):
                self.refuses("claims.malformed", **{name: wrong}, expected=evolve(EXPECTED, max_age_s=0))

    def test_age_of_the_proof(self) -> None:
        """It is measured from when we asked, since people linger on an issuer's pages."""
        asked = evolve(EXPECTED, max_age_s=0)
        self.takes(asked, auth_time=NOW - 120)
        self.takes(asked, auth_time=NOW - 180)
        self.refuses("auth_time.old", asked, auth_time=NOW - 181)
        self.takes(evolve(asked, max_age_s=600), auth_time=NOW - 780)
        self.refuses("auth_time.absent", asked)
        self.refuses("auth_time.future", auth_time=NOW + 61)

    def test_at_hash(self) -> None:
        """Half of the hash that goes with the signature's algorithm."""
        for algorithm, hasher, size in (("RS256", hashlib.sha256, 16), ("ES256", hashlib.sha256, 16), ("EdDSA", hashlib.sha512, 32)):
            half = base64.urlsafe_b64encode(hasher(b"access").digest()[:size]).decode().rstrip("=")
            self.takes(evolve(EXPECTED, algorithm=algorithm), at_hash=half)
            self.refuses("at_hash.wrong", evolve(EXPECTED, algorithm=algorithm, access_token="other"), at_hash=half)
            self.refuses("at_hash.wrong", evolve(EXPECTED, algorithm=algorithm), at_hash=half + "=")
        self.refuses("at_hash.wrong", at_hash=5)

    def test_each_claim_is_needed(self) -> None:
        """Without any one of them it is refused."""
        for name in GOOD:
            claims = {other: value for other, value in GOOD.items() if other != name}
            self.assertRaises(SignInRefused, judge_id_token, claims, EXPECTED, BEGIN)

    @given(st.dictionaries(st.sampled_from([*GOOD, "azp", "nbf", "auth_time", "at_hash"]), ANY))
    def test_nothing_else_escapes(self, changes: dict[str, object]) -> None:
        """Any value in any claim is taken or refused."""
        try:
            judge_id_token({**GOOD, **changes}, evolve(EXPECTED, max_age_s=0), BEGIN)
        except SignInRefused:
            pass

    @given(ANY)
    def test_moments(self, value: object) -> None:
        """Any value is a time, no time, or refused."""
        try:
            found = moment({"t": value}, "t")
        except SignInRefused:
            return
        self.assertEqual(found is None, value is None)
