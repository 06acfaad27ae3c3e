"""
What is counted, and what becomes of the counts.
"""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from coral_gate.audit.events import RequestCounted, RequestRefused, SignInRefused, TicketRefused
from coral_gate.audit.granularity import Bounds, Tally, network
from coral_gate.model import SandboxId, UserId
from tests.audit.samples import SANDBOX, USER


class TallyTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.tally = Tally(self.clock.seconds, Bounds(allowed_keys=3, refused_events=3))

    def test_allowed(self) -> None:
        """The requests of one session to one sandbox from one address become one event, with its number and span."""
        for _ in range(5):
            self.tally.allowed("s1", SANDBOX, USER, "203.0.113.7")
            self.clock.advance(10)
        self.tally.allowed("s2", SANDBOX, USER, "203.0.113.7")
        self.clock.advance(10)
        self.assertEqual(
            self.tally.take_minute(),
            [
                RequestCounted(session="s1", sandbox=SANDBOX, who=USER, address="203.0.113.7", count=5, seconds=60),
                RequestCounted(session="s2", sandbox=SANDBOX, who=USER, address="203.0.113.7", count=1, seconds=10),
            ],
        )
        self.assertEqual(self.tally.take_minute() + self.tally.take_second(), [])

    def test_refused(self) -> None:
        """Refusals of one kind for one reason from one network become one event."""
        for address in ("2001:db8::1", "2001:db8::2", "2001:db8:0:1::1"):
            self.tally.refused(RequestRefused, address, "no_session")
        self.tally.refused(SignInRefused, "2001:db8::1", "no_session")
        self.assertEqual(
            self.tally.take_second(),
            [
                RequestRefused(address="2001:db8::/64", reason="no_session", count=2, seconds=1),
                RequestRefused(address="2001:db8:0:1::/64", reason="no_session", count=1, seconds=1),
                SignInRefused(address="2001:db8::/64", reason="no_session", count=1, seconds=1),
            ],
        )
        self.assertEqual(self.tally.take_second(), [])

    def test_many_strangers(self) -> None:
        """Past the bound strangers are counted together, one event a minute for each kind; nothing is lost from the sum."""
        for number in range(100):
            self.tally.refused(RequestRefused, f"203.0.113.{number}", "no_session")
            self.tally.refused(TicketRefused, f"203.0.113.{number}", "unknown")
        told = self.tally.take_second()
        self.assertEqual(len(told), 3)
        rest = self.tally.take_minute()
        self.assertEqual(
            sorted((event.type, event.address, event.reason) for event in rest),
                         [("request.refused", "", "too_many_to_tell_apart"), ("ticket.refused", "", "too_many_to_tell_apart")])  # fmt: skip
        self.assertEqual(sum(event.count for event in told + rest), 200)

    def test_the_bound_is_a_minutes(self) -> None:
        """A stranger cannot get round the bound by going on: it holds over all seconds of a minute, and ends with it."""
        events = 0
        for _ in range(60):
            for number in range(10):
                self.tally.refused(RequestRefused, f"203.0.113.{number}", "no_session")
            events += len(self.tally.take_second())
        self.assertEqual(events, 3)
        self.tally.take_minute()
        self.tally.refused(RequestRefused, "203.0.113.1", "no_session")
        self.assertEqual(len(self.tally.take_second()), 1)

    def test_many_sessions(self) -> None:
        """Past the bound allowed requests are counted together, without a name."""
        for number in range(10):
            self.tally.allowed(f"s{number}", SANDBOX, USER, "203.0.113.7")
            self.tally.allowed(f"s{number}", SANDBOX, USER, "203.0.113.7")
        events = self.tally.take_minute()
        self.assertEqual([event.count for event in events], [2, 2, 2, 14])
        self.assertEqual((events[3].who, events[3].session if isinstance(events[3], RequestCounted) else None), (None, ""))

    def test_mistakes_show(self) -> None:
        """What no event could hold is refused when it is counted, not a minute later."""
        self.assertRaises(ValueError, self.tally.refused, RequestRefused, "203.0.113.7", "Not a word")
        self.assertRaises(ValueError, self.tally.allowed, "s", SANDBOX, UserId("", ""), "203.0.113.7")
        self.tally.refused(RequestRefused, "203.0.113.7", "fine")
        self.assertEqual(len(self.tally.take_second()), 1)

    @given(st.lists(st.tuples(st.booleans(), st.integers(0, 6), st.sampled_from(["", "second", "minute"]))))
    def test_nothing_is_lost(self, steps: list[tuple[bool, int, str]]) -> None:
        """Whatever is counted in whatever order, the summaries add up to it."""
        tally = Tally(self.clock.seconds, Bounds(allowed_keys=3, refused_events=3))
        events = []
        for allowed, number, take in steps:
            if allowed:
                tally.allowed(f"s{number}", SandboxId("x"), USER, "a")
            else:
                tally.refused(RequestRefused, f"203.0.113.{number}", "r")
            events += {"": list, "second": tally.take_second, "minute": tally.take_minute}[take]()
        events += tally.take_second() + tally.take_minute()
        self.assertEqual(sum(event.count for event in events), len(steps))
        self.assertTrue(all(event.count > 0 for event in events))


class NetworkTests(SynchronousTestCase):
    def test_networks(self) -> None:
        """Strangers are told apart by what costs them something: an IPv4 address or an IPv6 /64."""
        for address, expected in [
            ("203.0.113.7", "203.0.113.7"),
            ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
            ("2001:DB8:1:2::", "2001:db8:1:2::/64"),
            ("fe80::1%eth0", "fe80::/64"),
            ("::ffff:203.0.113.7", "203.0.113.7"),
            ("unix", "unix"),
            ("", ""),
        ]:
            self.assertEqual(network(address), expected)
