"""A victim, the pages that attack her, and what they run."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from coral_gate.gate.origins import Side
from coral_gate.gate.routes import ROUTES
from tests.integration.browser.house import MINE, SECOND
from tests.integration.browser.quiet import Client
from tests.integration.browser.tab import Tab
from tests.integration.test_browser import BrowserTests

FETCH = """(urls, mode, method) => Promise.all(urls.map(async (url) => {
  try {
    const body = method == 'POST' ? new URLSearchParams({ session: 'x' }) : undefined;
    const answer = await fetch(url, { mode, method, body, credentials: 'include', redirect: 'follow' });
    return [answer.type, answer.status, (await answer.text()).length];
  } catch (error) { return String(error); }
}))"""
SOCKETS = """(urls) => Promise.all(urls.map((url) => new Promise((done) => {
  let socket;
  try { socket = new WebSocket(url.replace(/^http/, 'ws'), ['coral.v1', 'coral.ticket.x']); } catch (error) { return done(String(error)); }
  socket.onopen = () => done('open');
  socket.onerror = socket.onclose = () => done('closed');
})))"""
FRAMES = """(urls) => Promise.all(urls.map((url) => new Promise((done) => {
  const frame = document.createElement('iframe');
  const look = () => {
    try { done(frame.contentWindow.document.body.innerText || 'empty'); } catch (error) { done(error.name); }
  };
  frame.onload = look;
  frame.src = url;
  document.body.append(frame);
  setTimeout(look, 4000);
})))"""
FORM = """(url, method, target) => {
  const form = document.createElement('form');
  Object.assign(form, { action: url, method, target, innerHTML: '<input name=session value=x><input name=next value=/>' });
  document.body.append(form);
  form.submit();
}"""
TAGS = """(urls, names = ['img', 'script', 'link', 'object', 'embed', 'video']) =>
Promise.all(urls.flatMap((url) => names.map((name) => new Promise((done) => {
  const tag = document.createElement(name);
  tag.onload = () => done(name + ' loaded');
  tag.onerror = () => done('error');
  if (name == 'link') { tag.rel = 'stylesheet'; tag.href = url; } else if (name == 'object') tag.data = url; else tag.src = url;
  document.body.append(tag);
  setTimeout(() => done('silent'), 1000);
}))))"""
REACH = """(async () => {
  const reach = (what) => { try { return what(); } catch (error) { return error.name; } };
  reach(() => popup.postMessage('hello', '*'));
  reach(() => { popup.location.hash = 'x'; });
  await new Promise((done) => setTimeout(done, 100));
  return {
    closed: popup.closed, length: popup.length,
    text: reach(() => popup.document.body.innerText), path: reach(() => popup.location.pathname),
  };
})()"""

_EVERYBODYS = ("/static", "/favicon", "/robots", "/livez", "/readyz")


class AttackTests(BrowserTests):
    """Alice is signed in, has her two sandboxes open, and looks at a page that is not on her side."""

    def setUp(self) -> None:
        super().setUp()
        self.victim = self.profile("alice")
        self.mine, self.token = self.house.sandbox(), self.victim.cookie(self.house.portal, "__Host-coral")
        self.other = self.house.token("alice")
        for name in (MINE, SECOND):
            tab = self.victim.tab()
            tab.go(self.house.sandbox(name) + "/")
            tab.at(self.house.sandbox(name) + "/")
        self.house.site.seen.clear()
        self.issued = self.handed_over()

    def attackers(self) -> Iterator[Tab]:
        """A page of one of her sandboxes, the same without the policy that the gate adds, and a page of another site."""
        for url, bare in ((self.mine, False), (self.mine, True), (self.house.elsewhere, False)):
            tab = self.victim.tab()
            tab.call("Page.setBypassCSP", enabled=bare)
            tab.go(url + "/attack")
            tab.at(url + "/attack")
            yield tab

    def targets(self) -> list[str]:
        """Every address of the portal, and some of the other sandbox's."""
        paths = [route.path.decode() for route in ROUTES if route.side is Side.PORTAL and not route.path.decode().startswith(_EVERYBODYS)]
        own = [self.house.sandbox(SECOND) + path for path in ("/", "/api/do", "/.gate/enter", "/.gate/bye")]
        return [self.house.portal + path for path in paths] + own

    def run_script(self, tab: Tab, script: str, *arguments: object) -> Any:  # Any: whatever it gives
        """What a function gives in a page."""
        return tab.ask(f"({script})({', '.join(map(json.dumps, arguments))})")

    # -- what must hold ------------------------------------------------------------------------------------------------

    def handed_over(self) -> int:
        """How many codes were issued so far."""
        return self.house.audited().count('"handoff.issued"')

    def arrived(self, sandbox: str) -> list[str]:
        """What has reached a sandbox, but for the pictures that browsers fetch by themselves."""
        return [one.method + " " + one.target for one in self.house.site.seen if one.sandbox == sandbox and one.target != "/favicon.ico"]

    def untouched(self) -> None:
        """Her sessions live, both of them; her cookie is the same; nothing has reached the other sandbox."""
        for token in (self.token, self.other):
            assert token is not None
            page = Client(self.house.plain_port, f"gate.localhost:{self.house.port}", {"__Host-coral": token}).ask("/sessions")
            self.assertEqual(page.status, 200)
        self.assertEqual(self.victim.cookie(self.house.portal, "__Host-coral"), self.token)
        self.assertEqual(self.arrived(SECOND), [])

    def comes_back(self) -> None:
        """The portal and both sandboxes are hers as before."""
        for name in (MINE, SECOND):
            tab = self.victim.tab()
            tab.go(self.house.sandbox(name) + "/")
            tab.at(self.house.sandbox(name) + "/")
            self.assertIn("A sandbox's page", tab.text)
        self.house.site.seen.clear()
        self.untouched()
