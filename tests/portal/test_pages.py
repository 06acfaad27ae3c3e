"""Pages: whatever somebody is called, it stays text."""

from __future__ import annotations

from attrs import evolve
from twisted.trial.unittest import SynchronousTestCase

from coral_gate.portal.services import SandboxCard
from coral_gate.records import SessionId, SessionLabel
from tests.portal.asking import SANDBOX, SESSION, Broken, Portal, visitor
from tests.portal.payloads import PAYLOADS
from tests.portal.reading import Document

OTHER = evolve(SESSION, id=SessionId("o" * 26))
URL = f"https://{SANDBOX}.sbx.localhost"


def said(text: str) -> dict[str, Document]:
    """Every page into which somebody else's words go, with these for all of them."""
    who = visitor(name=text)
    portal = Portal(issuer=text)
    portal.desk.cards = [SandboxCard(SANDBOX, text, URL)]
    portal.desk.living = (SESSION, evolve(OTHER, label=SessionLabel(text, "192.0.2.1")))
    pages = {
        "home": portal.ask("/", who=who),
        "sessions": portal.ask("/sessions", who=who),
        "sign-in": portal.ask("/sign-in?" + "next=" + "".join(f"%{octet:02x}" for octet in text.encode())),
        "no such sandbox": portal.ask("/handoff?sandbox=x", who=who),
    }
    fault = type("Said", (Broken,), {"sentence": text})
    portal.desk.failing = fault()
    pages["error"] = portal.ask("/", who=who)
    return {name: Document.of(answer.body) for name, answer in pages.items()}


class EscapingTests(SynchronousTestCase):
    """Names of sandboxes, people, browsers, issuers, and errors."""

    def test_payloads(self) -> None:
        """A hundred hostile names change nothing of any page but its text."""
        self.assertGreaterEqual(len(set(PAYLOADS)), 100)
        plain = said("plain")
        for payload in PAYLOADS:
            for name, page in said(payload).items():
                self.assertEqual(page.odd, [], (name, payload))
                self.assertEqual(page.shape, plain[name].shape, (name, payload))

    def test_shown(self) -> None:
        """They are shown as they are."""
        for payload in PAYLOADS:
            pages = said(payload)
            self.assertIn(payload, [node.text for node in pages["home"].all("h2")])
            self.assertIn(payload, pages["sessions"].text)
            self.assertEqual(pages["sign-in"].all("input")[0].attributes["value"], payload)
            self.assertIn(payload, [node.text for node in pages["error"].all("p")])

    def test_nothing_inline(self) -> None:
        """No page has a script, a style or an event of its own, nor a link that runs something, nor loads from elsewhere."""
        for name, page in (said("plain") | said("</h1><script>x</script>")).items():
            for node in page.nodes:
                self.assertNotIn(node.name, ("script", "style", "iframe", "object", "embed", "base", "svg"), name)
                for attribute, value in node.attributes.items():
                    self.assertFalse(attribute.startswith("on") or attribute == "style", (name, attribute))
                    if attribute in ("href", "src", "action"):
                        self.assertTrue((value or "").startswith(("/", "#", URL)) and not (value or "").startswith("//"), (name, value))

    def test_no_name(self) -> None:
        """Somebody without a name is called by their address, else by their subject."""
        for who, called in ((visitor(None, "a@example.com"), "a@example.com"), (visitor(None), "alice"), (visitor("Ann", "a@b.c"), "Ann")):
            page = Document.of(Portal().ask("/", who=who).body)
            self.assertIn(called, [node.text for node in page.all("span")])


class OrderTests(SynchronousTestCase):
    """What every page has."""

    def test_basics(self) -> None:
        """A language, a title, one heading, one main part, labels for what needs them; the way out on each page of a visitor."""
        for name, page in said("plain").items():
            self.assertEqual(page.nodes[0].attributes.get("lang"), "en", name)
            self.assertEqual([len(page.all(tag)) for tag in ("title", "h1", "main")], [1, 1, 1], name)
            self.assertTrue(all("alt" in node.attributes for node in page.all("img")), name)
            ways_out = [form for form in page.all("form") if form.attributes["action"] == "/sign-out"]
            self.assertEqual(len(ways_out), 0 if name == "sign-in" else 1, name)

    def test_opens_apart(self) -> None:
        """A sandbox opens in a window that has no hold on the portal's."""
        [link] = [node for node in said("plain")["home"].all("a") if node.attributes["href"] == URL + "/"]
        self.assertEqual((link.attributes["target"], link.attributes["rel"]), ("_blank", "noopener noreferrer"))
