"""How sandboxes are and what is connected to them, on a person's first page and for its script."""

from __future__ import annotations

import json

from attrs import evolve
from twisted.trial.unittest import SynchronousTestCase

from coral_gate.model import Condition, SandboxState
from coral_gate.portal.pages import STATES
from coral_gate.portal.services import Connected, SandboxCard
from tests.gate.stage import START
from tests.portal.asking import FORM, SANDBOX, SESSION, Portal, visitor
from tests.portal.reading import Document

ALICE = visitor()
URL = f"https://{SANDBOX}.sbx.localhost"
OPEN = Connected("s1", "OpenClaw's own page", "192.0.2.9", START)
CARD = SandboxCard(SANDBOX, "First", URL, Condition(SandboxState.RUNNING), (OPEN,))


class LiveTests(SynchronousTestCase):
    """The card and what keeps it true."""

    def setUp(self) -> None:
        self.portal = Portal()
        self.portal.desk.cards = [CARD]

    def test_states(self) -> None:
        """Each state is a word, not a colour alone, with the reason where there is one."""
        for state in SandboxState:
            self.portal.desk.cards = [evolve(CARD, condition=Condition(state, "the disk is full."))]
            page = Document.of(self.portal.ask("/", who=ALICE).body)
            [told] = [node for node in page.all("p") if node.attributes.get("data-state")]
            self.assertEqual(told.attributes["data-state"], state.value)
            self.assertIn(f"{STATES[state]}: the disk is full.", page.text)

    def test_connected(self) -> None:
        """What is connected now is listed with what it is, from where and since when, and a button to end it."""
        page = Document.of(self.portal.ask("/", who=ALICE).body)
        self.assertIn("OpenClaw's own page, from 192.0.2.9, since 12:00 UTC", page.text)
        [form] = [node for node in page.all("form") if node.attributes["action"] == "/streams/cut"]
        self.assertEqual(form.attributes["method"], "post")
        self.assertIn(("stream", "s1"), [(node.attributes["name"], node.attributes["value"]) for node in page.all("input")])

    def test_cut(self) -> None:
        """The button asks the gate to end that stream for this person, and leads back."""
        answer = self.portal.ask("/streams/cut", "POST", FORM, body=b"stream=s1", who=ALICE)
        self.assertEqual((answer.status, answer.value(b"location")), (303, b"/"))
        self.assertEqual(self.portal.desk.asked, [("cut", SESSION.id, "s1", "192.0.2.7")])

    def test_cut_of_nothing(self) -> None:
        """Without a label nothing is found, and the answer is the same."""
        answer = self.portal.ask("/streams/cut", "POST", FORM, body=b"", who=ALICE)
        self.assertEqual((answer.status, answer.value(b"location")), (303, b"/"))

    def test_json(self) -> None:
        """The script gets the same words as the page."""
        answer = self.portal.ask("/live", who=ALICE)
        self.assertEqual((answer.status, answer.value(b"content-type")), (200, b"application/json"))
        [told] = json.loads(answer.body)["sandboxes"]
        self.assertEqual((told["id"], told["state"], told["told"]), (SANDBOX, "running", "Running"))
        self.assertEqual(told["connected"], [{"label": "s1", "told": "OpenClaw's own page, from 192.0.2.9, since 12:00 UTC"}])

    def test_script(self) -> None:
        """The page loads the script from a file of its own, and the file is there."""
        page = Document.of(self.portal.ask("/", who=ALICE).body)
        [script] = page.all("script")
        answer = self.portal.ask(str(script.attributes["src"]))
        self.assertEqual((answer.status, answer.value(b"content-type")), (200, b"text/javascript; charset=utf-8"))
        for sink in (b"innerHTML", b"outerHTML", b"insertAdjacentHTML", b"eval(", b"document.write"):
            self.assertNotIn(sink, answer.body)
