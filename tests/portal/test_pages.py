"""Pages: whatever somebody is called, it stays text."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

from attrs import evolve
from twisted.trial.unittest import SynchronousTestCase

from coral_gate.model import Condition, SandboxState
from coral_gate.portal.services import Connected, SandboxCard
from coral_gate.records import Session, SessionId, SessionLabel
from tests.portal.asking import SANDBOX, SESSION, Broken, Portal, visitor
from tests.portal.payloads import PAYLOADS
from tests.portal.reading import Document

OTHER = evolve(SESSION, id=SessionId("o" * 26))
URL = f"https://{SANDBOX}.sbx.localhost"


def said(text: str) -> dict[str, Document]:
    """Every page into which somebody else's words go, with these for all of them."""
    who = visitor(name=text)
    portal = Portal(issuer=text)
    open_now = Connected(text, text, text, SESSION.created_at)
    portal.desk.cards = [SandboxCard(SANDBOX, text, URL, Condition(SandboxState.FAILED, text), (open_now,))]
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
                if node.name == "script":
                    self.assertEqual((node.attributes["src"], node.text), ("/static/home.js", ""))
                    continue
                self.assertNotIn(node.name, ("style", "iframe", "object", "embed", "base", "svg"), name)
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

    def test_middle(self) -> None:
        """A page that says one thing says it in the middle of the window; lists begin at the top."""
        portal = Portal()
        pages = said("plain") | {
            "signed out": Document.of(portal.ask("/signed-out").body),
            "used up": Document.of(portal.ask("/used-up").body),
            "on the way": Document.of(portal.post("/sign-out", who=visitor()).body),
        }
        for name, page in pages.items():
            [main] = page.all("main")
            self.assertEqual(main.attributes.get("class"), None if name in ("home", "sessions") else "middle", name)


class SandboxTests(SynchronousTestCase):
    """The list of sandboxes."""

    def home(self, *names: str) -> Document:
        """The first page of somebody with sandboxes of these names."""
        portal = Portal()
        portal.desk.cards = [SandboxCard(SANDBOX, name, URL) for name in names]
        return Document.of(portal.ask("/", who=visitor()).body)

    def test_told_apart(self) -> None:
        """Several links to open one are told apart by who hears the page alone."""
        links = [node for node in self.home("First", "Second").all("a") if node.attributes.get("class") == "primary"]
        self.assertEqual([node.text for node in links], ["Open", "Open"])
        unseen = [node.text for node in self.home("First", "Second").all("span") if node.attributes.get("class") == "unseen"]
        self.assertEqual(unseen, [" First", " Second"])

    def test_locked(self) -> None:
        """The card of a locked sandbox says so, with the administrator's words, as text; on the page and in what its script asks for."""
        portal = Portal()
        portal.desk.cards = [SandboxCard(SANDBOX, "Mine", URL, locked="Too <b>loud</b>.")]
        page = Document.of(portal.ask("/", who=visitor()).body)
        [state] = [node for node in page.all("p") if node.attributes.get("class") == "state"]
        [word] = [node for node in page.all("span") if node.attributes.get("class") == "word"]
        self.assertEqual((state.attributes["data-state"], word.text), ("locked", "Locked: Too <b>loud</b>."))
        [told] = json.loads(portal.ask("/live", who=visitor()).body)["sandboxes"]
        self.assertEqual((told["state"], told["told"]), ("locked", "Locked: Too <b>loud</b>."))

    def test_badge(self) -> None:
        """The first letter stands before a name, for who sees it alone; a name in any writing, or none, has a row all the same."""
        for name, letter in (("first", "F"), ("élan", "É"), ("ß", "SS"), ("漢字", "漢"), ("", ""), ("<b>", "<")):
            [badge] = [node for node in self.home(name).all("span") if node.attributes.get("class") == "badge"]
            self.assertEqual((badge.text, badge.attributes["aria-hidden"]), (letter, "true"))

    def test_none(self) -> None:
        """Who has none reads why, and finds nothing to open."""
        page = self.home()
        self.assertIn("No sandbox yet", page.text)
        self.assertEqual([node for node in page.all("a") if node.attributes.get("target")], [])


class SessionTests(SynchronousTestCase):
    """The list of sessions."""

    def sessions(self, *living: Session) -> Document:
        """The page of somebody who has these."""
        portal = Portal()
        portal.desk.living = living
        return Document.of(portal.ask("/sessions", who=visitor()).body)

    def test_row(self) -> None:
        """Each is a browser by name, with where it was and when; one that does not name itself says so."""
        page = self.sessions(evolve(OTHER, label=SessionLabel(_FIREFOX, "192.0.2.1")), evolve(OTHER, label=SessionLabel("", "2001:db8::1")))
        self.assertEqual([node.text for node in page.all("h2")], ["Firefox on Linux", "Unknown browser"])
        told = [node.text for node in page.all("p") if node.attributes.get("class") == "soft"]
        self.assertEqual(told, ["From 192.0.2.1", "Signed in ", "Last used ", "From 2001:db8::1", "Signed in ", "Last used "])

    def test_times(self) -> None:
        """Days are written as people write them, without a zero before; a program finds the whole time (RFC 3339)."""
        at = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)
        page = self.sessions(evolve(OTHER, created_at=at, last_seen_at=at + timedelta(days=20, hours=10)))
        told = [(node.text, node.attributes["datetime"]) for node in page.all("time")]
        self.assertEqual(told, [("4 Mar 2026, 05:06 UTC", "2026-03-04T05:06:07Z"), ("24 Mar 2026, 15:06 UTC", "2026-03-24T15:06:07Z")])

    def test_ways_out(self) -> None:
        """This browser is marked and cannot be ended here; each other can, by its own id, and says which it is to who hears the page."""
        page = self.sessions(SESSION, evolve(OTHER, label=SessionLabel(_FIREFOX, "192.0.2.1")))
        self.assertEqual([node.text for node in page.all("span") if node.attributes.get("class") == "here"], ["This browser"])
        self.assertEqual([node.attributes["value"] for node in page.all("input")], [OTHER.id])
        unseen = [node.text for node in page.all("span") if node.attributes.get("class") == "unseen"]
        self.assertEqual(unseen, [" the session of Firefox on Linux"])

    def test_end_all(self) -> None:
        """There is a way to end all others where there are others."""
        for living, there in (((SESSION,), 0), ((SESSION, OTHER), 1)):
            forms = [form for form in self.sessions(*living).all("form") if form.attributes["action"] == "/sessions/end-others"]
            self.assertEqual(len(forms), there)


class ButtonTests(SynchronousTestCase):
    """What stands out."""

    def test_one_primary(self) -> None:
        """Where a page has one thing to do it stands out, a button or a link; what ends something never does."""
        pages = said("plain") | {"signed out": Document.of(Portal().ask("/signed-out").body)}
        for name, page in pages.items():
            primary = [node for node in page.nodes if node.attributes.get("class") == "primary"]
            self.assertEqual(len(primary), 0 if name == "sessions" else 1, name)
        for button in pages["sessions"].all("button"):
            self.assertNotIn("class", button.attributes)


_FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:150.0) Gecko/20100101 Firefox/150.0"
