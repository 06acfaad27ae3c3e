"""
The `http` channel where sandboxes speak different things: OpenClaw, unless the configuration says that it is any web service.
"""

from __future__ import annotations

from collections.abc import Container, Coroutine
from typing import Any

from attrs import define

from coral_gate.channels.http import HTTPChannel
from coral_gate.channels.openclaw_http import OpenClawHTTP
from coral_gate.channels.plan import Plan
from coral_gate.http1.head import RequestHead, ResponseHead
from coral_gate.model import Allowed, Asker, SandboxId


@define(eq=False)
class SandboxHTTP:
    """
    Forwards by what a sandbox speaks.

    :param plain: the sandboxes whose app is any web service: no credential goes there, and all of their paths pass.
    """

    _openclaw: OpenClawHTTP
    _any: HTTPChannel
    _plain: Container[SandboxId]

    def plan(self, head: RequestHead, allowed: Allowed, asker: Asker) -> Plan | Coroutine[Any, Any, Plan]:
        """See `Forwarding.plan`."""
        if allowed.sandbox in self._plain:
            return self._any.plan(head, allowed, asker)
        return self._openclaw.plan(head, allowed, asker)

    def answer(self, head: ResponseHead, allowed: Allowed) -> list[bytes]:
        """See `Forwarding.answer`; OpenClaw's plans bring what makes their answers."""
        return self._any.answer(head, allowed)
