"""Which sandboxes get OpenClaw's credential."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from coral_gate.channels.breaker import Breaker
from coral_gate.channels.http import HTTPChannel
from coral_gate.channels.openclaw_http import NotOffered, OpenClawHTTP
from coral_gate.channels.plan import Plan
from coral_gate.channels.sandbox_http import SandboxHTTP
from coral_gate.custody.memory_credentials import RefusingCredentials
from coral_gate.custody.of_sandboxes import SandboxCredentials
from coral_gate.http1.head import HeadLimits, read_request
from coral_gate.model import Allowed, Asker, ChannelKind, SandboxId, UserId
from tests.edge.bench import SANDBOX, TestLink, one_sandbox


async def nobodys(sandbox: SandboxId) -> UserId | None:
    """No owner."""
    return None


class SpeakingTests(SynchronousTestCase):
    """By what a sandbox speaks."""

    def test_by_sandbox(self) -> None:
        """A sandbox that is named as any web service gets every path and no credential; any other is OpenClaw's."""
        driver = one_sandbox(TestLink())
        openclaw = OpenClawHTTP(driver, SandboxCredentials(RefusingCredentials(), nobodys), Breaker(lambda: 0.0))
        head = read_request(b"GET /tools/invoke HTTP/1.1\r\nHost: x", HeadLimits())
        allowed = Allowed("sandbox.http", ChannelKind.HTTP, b"x", SANDBOX, None)
        plan = SandboxHTTP(openclaw, HTTPChannel(driver, 10), {SANDBOX}).plan(head, allowed, Asker(1, ""))
        assert isinstance(plan, Plan)
        self.assertNotIn(b"Authorization", b"".join(plan.lines))
        self.assertRaises(NotOffered, SandboxHTTP(openclaw, HTTPChannel(driver, 10), set()).plan, head, allowed, Asker(1, ""))
