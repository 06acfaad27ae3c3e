"""Addresses without secrets."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from coral_gate.gate.clean_address import clean_address


class AddressTests(SynchronousTestCase):
    """What is taken out of a query."""

    def test_taken(self) -> None:
        """Secrets and other gateways go, in any spelling; what else there is stays, byte by byte."""
        for target, clean in (
            (b"/?token=x", b"/"), (b"/chat?a=1&password=x&b=%20", b"/chat?a=1&b=%20"), (b"/?gatewayUrl=wss://evil", b"/"),
            (b"/?%74oken=x&session=s", b"/?session=s"), (b"/?TOKEN=x", b"/"), (b"/?token", b"/"), (b"/?a&bootstrapToken=t&token=", b"/?a"),
        ):  # fmt: skip
            self.assertEqual(clean_address(target), clean)

    def test_stays(self) -> None:
        """An address without them stays as it is."""
        for target in (b"/", b"/?", b"/chat?session=a%3Ab", b"/?tokens=1&a=token", b"/token?x"):
            self.assertIsNone(clean_address(target))

    @given(st.lists(st.sampled_from([b"token=s3cret", b"%70assword=s3cret", b"a=1", b"", b"session=x", b"gatewayUrl=s3cret"])))
    def test_clean_at_once(self, parts: list[bytes]) -> None:
        """Once is enough: what comes out needs no second journey and has no secret."""
        clean = clean_address(b"/?" + b"&".join(parts))
        if clean is not None:
            self.assertIsNone(clean_address(clean))
            self.assertNotIn(b"s3cret", clean)
