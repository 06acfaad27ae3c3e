"""A reload takes all of a configuration or nothing, and says what it could not take."""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from coral_gate.audit.sinks import MemorySink, RefusingSink
from coral_gate.config import Config, parse
from coral_gate.config.differences import LIVE, differing, in_force
from coral_gate.errors import AuditUnavailable, ConfigError, Problem
from coral_gate.interfaces import IAuditSink
from coral_gate.operations.reload import Reload, Reloaded

BASE = """\
[gate]
portal_origin = "https://gate.localhost:8443"
sandbox_site = "https://sbx.localhost:8443"
[[listen]]
endpoint = "tcp:8443:interface=127.0.0.1"
tls = false
"""
SIGN_IN = '[sign_in]\nissuer = "https://issuer.example"\nclient_id = "c"\nclient_authentication = "none"\n'


def config(more: str = "") -> Config:
    """A configuration with further lines."""
    return parse(BASE + more, "/nowhere/gate.toml")


class DifferenceTests(SynchronousTestCase):
    """What differs, and what of it can change."""

    def test_nothing(self) -> None:
        """The same text says the same."""
        self.assertEqual(differing(config(), config()), ())

    def test_live_and_not(self) -> None:
        """What can change does, what cannot stays, and each is named as in the file."""
        old = config(SIGN_IN + 'allow_hd = ["a.example"]\n')
        new = config(
            SIGN_IN.replace('"c"', '"d"') + 'allow_hd = ["b.example"]\n[deadlines]\nhead = "3s"\n[limits]\nbody = "1MiB"\nhead = "16KiB"\n'
        )
        force = in_force(old, new)
        self.assertEqual(differing(old, force), ("deadlines.head", "limits.head", "sign_in.allow_hd"))
        self.assertEqual(differing(force, new), ("limits.body", "sign_in.client_id"))
        self.assertEqual((force.sign_in.client_id, force.sign_in.allow_hd, force.deadlines.head_s), ("c", ("b.example",), 3.0))

    def test_names(self) -> None:
        """Every attribute that is said to be live is there."""
        for section, names in LIVE.items():
            for name in names:
                self.assertTrue(hasattr(getattr(config(), section), name), f"{section}.{name}")


class ReloadTests(SynchronousTestCase):
    """The reload itself."""

    def setUp(self) -> None:
        self.done: list[str] = []
        self.file = config('[log]\nlevel = "debug"\n')
        self.problem: ConfigError | None = None
        self.settling: Deferred[int] | None = None

    def read(self) -> tuple[Config, str]:
        """What is in the file."""
        if self.problem is not None:
            raise self.problem
        return self.file, "d" * 64

    def prepare(self, wanted: Config) -> Callable[[], None]:
        """Make ready."""
        self.done.append("prepared")
        return lambda: self.done.append("taken")

    async def settle(self) -> int:
        """What follows."""
        self.done.append("settled")
        return 2 if self.settling is None else await self.settling

    def reload(self, audit: IAuditSink | None = None) -> Reload:
        """A reload of a daemon that runs the base."""
        self.audit = MemorySink()
        return Reload(config(), self.read, self.prepare, self.settle, audit or self.audit)

    def test_taken(self) -> None:
        """It is prepared, recorded, taken, and what follows is done."""
        one = self.reload()
        came = self.successResultOf(Deferred.fromCoroutine(one.reload()))
        self.assertEqual(came, Reloaded(("log.level",), (), 2))
        self.assertEqual((self.done, one.running), (["prepared", "taken", "settled"], self.file))
        self.assertEqual([(event["type"], event["digest"]) for event in self.audit.written()], [("configuration.loaded", "d" * 64)])

    def test_refused(self) -> None:
        """A file that cannot be used changes nothing; that too is recorded."""
        self.problem = ConfigError((Problem("f:1", "a", "Bad."),))
        one = self.reload()
        self.failureResultOf(Deferred.fromCoroutine(one.reload()), ConfigError)
        self.assertEqual((self.done, one.running, self.audit.types()), ([], config(), ["configuration.refused"]))

    def test_not_recorded(self) -> None:
        """What cannot be recorded is not taken."""
        one = self.reload(RefusingSink())
        self.failureResultOf(Deferred.fromCoroutine(one.reload()), AuditUnavailable)
        self.assertEqual((self.done, one.running), (["prepared"], config()))

    def test_one_at_a_time(self) -> None:
        """A second one waits for the first, and the third for both."""
        self.settling = Deferred()
        one = self.reload()
        came = [Deferred.fromCoroutine(one.reload()) for _ in range(3)]
        self.assertEqual(self.done.count("prepared"), 1)
        self.settling.callback(0)
        self.settling = None
        self.assertEqual([self.successResultOf(each).applied for each in came], [("log.level",), (), ()])
