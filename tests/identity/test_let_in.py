"""Whom the gate lets in: by the lists of the configuration, or by name."""

from __future__ import annotations

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from coral_gate.errors import SignInRefused
from coral_gate.identity.policy import sign_in_policy
from coral_gate.model import UserId
from tests.identity.local_rig import local_rig
from tests.identity.wall_clock import WallClock


class LetInTests(SynchronousTestCase):
    """Somebody on no list."""

    def test_by_name(self) -> None:
        """They come in where they were let in by name, issuer and subject together; nobody else does."""
        rig = local_rig(WallClock())
        they = UserId(rig.settings.issuer, rig.subject)
        for let_in, comes_in in (
            (they, True),
            (UserId("https://elsewhere.example", rig.subject), False),
            (UserId(they.iss, "other"), False),
        ):

            async def known(who: UserId, let_in: UserId = let_in) -> bool:
                return who == let_in

            rig.configure(known, policy=sign_in_policy(subject=["somebody-else"]))
            signing_in = Deferred.fromCoroutine(rig.sign_in())
            if comes_in:
                self.assertEqual(self.successResultOf(signing_in).identity.user, they)
            else:
                refusal = self.failureResultOf(signing_in, SignInRefused).value
                self.assertEqual((refusal.reason, refusal.who), ("person.not_listed", they))
