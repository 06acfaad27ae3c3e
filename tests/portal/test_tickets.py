"""Where the script in a sandbox's own UI asks for tickets."""

from __future__ import annotations

from importlib.resources import files

from attrs import define, field
from twisted.trial.unittest import SynchronousTestCase

from coral_gate.errors import TooMany
from coral_gate.model import SandboxId, Secret
from coral_gate.visitor import Visitor
from tests.integration.answers import Answer
from tests.portal.asking import SANDBOX, Portal, visitor

ALICE = visitor()
HEADERS = (
    (b"Origin", b"https://gate.localhost"),  # the bench's Host
    (b"Sec-Fetch-Site", b"same-origin"),
    (b"Sec-Fetch-Dest", b"empty"),
    (b"Content-Type", b"application/json"),
)


@define
class Mint:
    """Notes who asked."""

    asked: list[tuple[Visitor, SandboxId, str]] = field(factory=list)
    failing: Exception | None = None

    async def mint(self, visitor: Visitor, sandbox: SandboxId, address: str) -> Secret:
        """The same each time."""
        self.asked.append((visitor, sandbox, address))
        if self.failing is not None:
            raise self.failing
        return Secret(b"t" * 43)


class TicketTests(SynchronousTestCase):
    """One page that asks."""

    def setUp(self) -> None:
        self.mint = Mint()
        self.portal = Portal(mint=self.mint.mint)

    def ask(self, *headers: tuple[bytes, bytes], body: bytes = b'{"channel":"control"}') -> Answer:
        """One request."""
        return self.portal.ask("/.gate/ticket", "POST", *headers, body=body, who=ALICE, sandbox=SANDBOX)

    def test_ticket(self) -> None:
        """The script gets one, for whoever is signed in and for this sandbox; nobody keeps the answer."""
        answer = self.ask(*HEADERS)
        self.assertEqual((answer.status, answer.body), (200, b'{"ticket":"' + b"t" * 43 + b'"}'))
        self.assertEqual((answer.value(b"content-type"), answer.value(b"cache-control")), (b"application/json", b"no-store"))
        self.assertEqual(self.mint.asked, [(ALICE, SANDBOX, "192.0.2.7")])

    def test_only_the_script(self) -> None:
        """Without one of the fields that a browser adds for a script of this origin, or with another value, there is none."""
        for at, (name, _) in enumerate(HEADERS):
            for instead in ((), ((name, b"cross-site"),), ((name, b"null"),), (HEADERS[at], HEADERS[at])):
                answer = self.ask(*HEADERS[:at], *instead, *HEADERS[at + 1 :])
                self.assertIn(answer.status, (400, 403), (name, instead))
        self.assertEqual(self.mint.asked, [])

    def test_only_control(self) -> None:
        """A sandbox's page gets tickets for its own UI's channel alone."""
        for body in (b"", b"{}", b"[]", b'"control"', b'{"channel":"terminal"}', b'{"channel":"control","sandbox":"x"}', b"[" * 250):
            self.assertEqual(self.ask(*HEADERS, body=body).status, 400, body)
        self.assertEqual(self.mint.asked, [])

    def test_refused(self) -> None:
        """A refusal has its status, which the script goes by."""
        self.mint.failing = TooMany()
        self.assertEqual(self.ask(*HEADERS).status, 429)

    def test_script(self) -> None:
        """The script is there for anybody; a browser asks each time whether it has changed."""
        answer = self.portal.ask("/.gate/tickets.js", sandbox=SANDBOX)
        self.assertEqual(answer.body, files("coral_gate.portal").joinpath("sandbox_static", "tickets.js").read_bytes())
        self.assertEqual((answer.value(b"content-type"), answer.value(b"cache-control")), (b"text/javascript; charset=utf-8", b"no-cache"))
        etag = answer.value(b"etag")
        assert etag is not None
        self.assertEqual(self.portal.ask("/.gate/tickets.js", "GET", (b"If-None-Match", etag), sandbox=SANDBOX).status, 304)
