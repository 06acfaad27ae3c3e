"""The whole suite of signing in, against the built-in issuer."""

from __future__ import annotations

from twisted.trial.unittest import TestCase

from tests.identity import sign_in_suite
from tests.identity.local_rig import LocalRig, local_rig
from tests.identity.wall_clock import WallClock


class _Local(TestCase):
    rig: LocalRig

    def setUp(self) -> None:
        self.rig = local_rig(WallClock())


class LocalHonestTests(sign_in_suite.HonestTests[LocalRig], _Local):
    """What is right is taken from the built-in issuer."""


class LocalTokenTests(sign_in_suite.TokenTests[LocalRig], _Local):
    """Forged tokens of the built-in issuer."""


class LocalPersonTests(sign_in_suite.PersonTests[LocalRig], _Local):
    """Lists, with the built-in issuer."""


class LocalCallbackTests(sign_in_suite.CallbackTests[LocalRig], _Local):
    """Callbacks of the built-in issuer."""


class LocalIssuerTests(sign_in_suite.IssuerTests[LocalRig], _Local):
    """The built-in issuer answering wrongly."""


class LocalSecrecyTests(sign_in_suite.SecrecyTests[LocalRig], _Local):
    """Secrets, with the built-in issuer."""
