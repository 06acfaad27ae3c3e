"""The table of methods."""

from __future__ import annotations

import json

from twisted.trial.unittest import SynchronousTestCase

from coral_gate.channels.openclaw_methods import OPENCLAW_2026_9
from tests.channels.openclaw_messages import captured

# What makes a bearer, opens a listener, changes how the gateway lets somebody in, gives a shell, or reaches another machine.
_NEVER = [
    "attach.",
    "browser.",
    "claws.",
    "computer.",
    "config.apply",
    "config.openFile",
    "config.patch",
    "config.set",
    "conversations.",
    "cron.add",
    "cron.remove",
    "cron.run",
    "cron.scratch.",
    "cron.update",
    "desktop.",
    "device.",
    "diagnostics.",
    "environments.create",
    "environments.destroy",
    "environments.prepare",
    "environments.session.create",
    "environments.session.exec",
    "exec.approvals.",
    "fs.",
    "gateway.",
    "mcp.",
    "migrations.",
    "models.auth.login",
    "models.authLogin",
    "models.authSetApiKey",
    "nativeHook.",
    "node.event",
    "node.invoke",
    "node.pair.",
    "node.pending.",
    "openclaw.chat",
    "openclaw.setup.",
    "plugins.install",
    "plugins.reload",
    "plugins.setEnabled",
    "plugins.credentials.",
    "portal.",
    "push.",
    "secrets.",
    "session.publicShare.",
    "sessions.catalog.startTerminal",
    "sessions.dispatch",
    "sessions.files.set",
    "sessions.move",
    "sessions.pluginPatch",
    "skills.install",
    "skills.update",
    "skills.upload.",
    "system-event",
    "talk.client.",
    "talk.config",
    "talk.session.",
    "terminal.",
    "tools.github.",
    "tools.invoke",
    "update.run",
    "users.authConnect.",
    "users.github.",
    "users.linkAuthProfile",
    "users.setRole",
    "wake",
    "web.login.",
    "wizard.",
    "worker.",
    "worktrees.create",
]

_UNLISTED = {"sessions.get", "sessions.resolve", "sessions.usage", "sessions.usage.logs", "sessions.usage.timeseries"}


class TableTests(SynchronousTestCase):
    """`OPENCLAW_2026_9`."""

    def test_never(self) -> None:
        """Nothing that is dangerous to the gate itself is allowed, nor a neighbour of it under the same prefix."""
        for name in _NEVER:
            found = {method for method in OPENCLAW_2026_9.allowed if method == name or (name.endswith(".") and method.startswith(name))}
            self.assertEqual(found, set(), name)

    def test_exist(self) -> None:
        """Each allowed name is one of the version's, as it listed them itself, or answered without being listed."""
        listed = set(json.loads(captured("hello"))["payload"]["features"]["methods"])
        self.assertEqual(OPENCLAW_2026_9.allowed - listed, _UNLISTED)

    def test_parts(self) -> None:
        """What is watched or acts is allowed; connect is no method for later."""
        self.assertLessEqual(OPENCLAW_2026_9.watched | OPENCLAW_2026_9.acts, OPENCLAW_2026_9.allowed)
        self.assertNotIn("connect", OPENCLAW_2026_9.allowed)
