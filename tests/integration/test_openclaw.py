"""A person uses a real OpenClaw through the gate, in Chromium and in its own unmodified Control UI."""

from __future__ import annotations

import base64
import json
import secrets
import string
import tempfile
import time
from pathlib import Path
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from coral_gate.channels.openclaw_methods import OPENCLAW_2026_9
from tests.channels.control_table import encodings
from tests.integration.browser.claw import ClawHouse, claw_house
from tests.integration.browser.devtools import BrowserFault
from tests.integration.browser.house import MINE
from tests.integration.browser.tab import Profile, Tab
from tests.integration.needs import needs
from tools.openclaw import OPENCLAW

_CONNECTED_S = 25
_REPLY_S = 40

_SPY = """(() => {
  const Native = WebSocket;
  window.__offered = [];
  window.__closes = [];
  window.WebSocket = class extends Native {
    constructor(url, protocols) {
      super(url, protocols);
      window.__offered.push([String(url), [].concat(protocols || [])]);
      this.addEventListener('close', (event) => window.__closes.push([event.code, event.reason, event.wasClean]));
    }
  };
})()"""
"""Runs before the gate's script, which keeps the class that it finds: what really goes out is seen here."""


_AS_BEFORE = """(() => {
  if (location.protocol !== 'https:') return;
  const loads = Number(sessionStorage.getItem('loads')) + 1;
  sessionStorage.setItem('loads', loads);
  if (loads == 1) Object.defineProperty(window, '__coralGate', { value: true });
})()"""
"""Keeps the gate's script from doing anything in the first page of a tab: it is then one from before the gate had a script."""

_COMPOSER = "[...document.querySelectorAll('textarea')].find((one) => one.offsetParent)"


class ClawTests(SynchronousTestCase):
    """A house with OpenClaw in alice's sandbox."""

    if why := needs("chromium"):
        skip = why
    elif not OPENCLAW.is_file():
        skip = "needs OpenClaw: python tools/openclaw.py installs it"

    house: ClawHouse

    def setUp(self) -> None:
        """Whatever a test before has changed about the model is forgotten."""
        self.house = claw_house()
        self.house.model.says = None

    def profile(self, subject: str | None = "alice") -> Profile:
        """A browser that is gone after the test."""
        profile = self.house.profile(subject)
        self.addCleanup(profile.close)
        return profile

    def tab(self, profile: Profile) -> Tab:
        """A fresh tab, in which every WebSocket is noted."""
        tab = profile.tab()
        tab.call("Page.addScriptToEvaluateOnNewDocument", source=_SPY)
        return tab

    def open_claw(self, profile: Profile) -> Tab:
        """The Control UI, connected."""
        tab = self.tab(profile)
        tab.go(self.house.sandbox() + "/")
        self.connected(tab)
        return tab

    def connected(self, tab: Tab) -> None:
        """It says so, and has a field for a message."""
        tab.until("document.body.innerText.includes('Connected') && document.querySelector('textarea') !== null", _CONNECTED_S)

    def say(self, tab: Tab, text: str) -> str:
        """Type a message and send it; gives the word of the reply once it is on the page."""
        before = self.house.model.word
        tab.until(f"{_COMPOSER} && ({_COMPOSER}.focus(), document.activeElement == {_COMPOSER})")
        tab.type(text)
        tab.until(f"{_COMPOSER}.value == {json.dumps(text)}")
        tab.press("Enter")
        until = time.monotonic() + _REPLY_S
        while self.house.model.word == before:
            self.assertLess(time.monotonic(), until, "the model was never asked")
            self.house.browser.listen(0.1)
        word = self.house.model.word
        tab.until(f"document.body.innerText.includes({json.dumps(word)})", _REPLY_S)
        return word

    def tickets(self, tab: Tab) -> list[str]:
        """The tickets that this tab's page has offered, in order."""
        told = tab.ask("window.__offered")
        found = []
        for _, protocols in told:
            self.assertEqual((len(protocols), protocols[0]), (2, "coral.v1"), protocols)
            self.assertTrue(protocols[1].startswith("coral.ticket."))
            found.append(protocols[1])
        return found

    def streams(self) -> list[dict[str, Any]]:
        """What an operator sees of open streams."""
        told = json.loads(self.house.coral_gate("stream", "list", "--json").stdout)
        return list(told["streams"] if isinstance(told, dict) else told)


class JourneyTests(ClawTests):
    """From the sign-in to the sign-out."""

    def test_journey(self) -> None:
        """Sign in at the issuer, open the sandbox from its card, say something, read the answer, sign out, and be out."""
        profile = self.profile(None)
        tab = self.tab(profile)
        tab.go(self.house.portal + "/")
        tab.click("Sign in with Example")
        tab.until("document.activeElement.name == 'login'")
        tab.type("alice")
        tab.press("Tab")
        tab.type("any password")
        tab.press("Enter")
        tab.until(f"!location.href.startsWith('{self.house.issuer}') || document.activeElement.innerText == 'Continue'")
        if tab.url.startswith(self.house.issuer):
            tab.press("Enter")
        tab.until("document.body.innerText.includes('Your sandboxes')")
        before = profile.tabs()
        tab.click("Open")
        claw = profile.opened(before)
        self.connected(claw)
        self.assertTrue(claw.url.startswith(self.house.sandbox()))
        self.say(claw, "Good morning")
        tab.click("Sign out")
        tab.until("document.body.innerText.includes('You are signed out')")
        claw.until("document.querySelector('dialog[open]') !== null", 20)
        self.assertIn("sign", str(claw.ask("document.querySelector('dialog[open]').innerText")).lower())
        self.assertEqual(self.streams(), [])
        claw.go(self.house.sandbox() + "/")
        claw.at(self.house.portal + "/sign-in")

    def test_reload(self) -> None:
        """After a reload, and in a second tab, it is connected again, each time with a ticket of its own."""
        profile = self.profile()
        tab = self.open_claw(profile)
        word = self.say(tab, "Before the reload")
        first = self.tickets(tab)
        tab.call("Page.reload")
        tab.until("window.__offered && window.__offered.length == 1")
        self.connected(tab)
        tab.until(f"document.body.innerText.includes({json.dumps(word)})", 20)
        second = self.open_claw(profile)
        self.say(second, "In the second tab")
        everything = first + self.tickets(tab) + self.tickets(second)
        self.assertEqual(len(everything), len(set(everything)))
        self.assertGreaterEqual(len(everything), 3)

    def test_comes_back(self) -> None:
        """A connection that an operator cuts comes back by itself, with a fresh ticket, and the reason was said."""
        tab = self.open_claw(self.profile())
        (stream,) = [one for one in self.streams() if one["sandbox"] == MINE]
        self.house.coral_gate("stream", "cut", stream["label"], "--reason", "Maintenance in the house.")
        tab.until("window.__closes.length")
        self.assertEqual(tab.ask("window.__closes[0]"), [4403, "Maintenance in the house.", True])
        self.assertEqual(tab.ask("document.querySelector('dialog[open] p').textContent"), "Maintenance in the house.")
        tab.until("window.__offered.length >= 2", 20)
        self.connected(tab)
        tab.until("document.querySelector('dialog:modal') === null", 10)
        self.say(tab, "Still here")
        offered = self.tickets(tab)
        self.assertEqual(len(offered), len(set(offered)))

    def test_openclaw_restarts(self) -> None:
        """When OpenClaw itself is restarted the page comes back too."""
        tab = self.open_claw(self.profile())
        self.house.claw.stop()
        tab.until("window.__closes.length", 20)
        self.house.claw.start()
        tab.until("window.__offered.length >= 2", 40)
        self.connected(tab)
        self.say(tab, "Welcome back")

    def test_portal(self) -> None:
        """The first page shows by itself what is connected; it can be ended there by keyboard, and the tab reads why."""
        profile = self.profile()
        home = self.tab(profile)
        home.go(self.house.portal + "/")
        home.until("document.body.innerText.includes('Running')")
        self.assertNotIn("OpenClaw's own page", home.text)
        claw = self.open_claw(profile)
        home.call("Page.bringToFront")
        home.until("document.body.innerText.includes(\"OpenClaw's own page, from 127.0.0.1\")", 15)
        for scheme in ("light", "dark"):
            home.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
            home.picture(Path(tempfile.gettempdir()) / f"coral-home-{scheme}.png")
        home.tab_to("Disconnect")
        home.press("Enter")
        claw.until("window.__closes.length")
        self.assertEqual(claw.ask("window.__closes[0]"), [4403, "You disconnected this from the portal.", True])
        home.at(self.house.portal + "/")
        self.assertEqual([line for line in home.complaints() if "404" not in line], [])

    def test_rotated(self) -> None:
        """When the gate is given a credential anew, its streams are cut and come back by themselves."""
        tab = self.open_claw(self.profile())
        self.house.give_password()
        tab.until("window.__closes.some(([code]) => code == 4409)", 10)
        self.connected(tab)
        self.say(tab, "Once more")

    def test_old_tab(self) -> None:
        """A tab that was loaded without the gate's script loads itself anew, once, and is connected then."""
        tab = self.tab(self.profile())
        tab.call("Page.addScriptToEvaluateOnNewDocument", source=_AS_BEFORE)
        tab.go(self.house.sandbox() + "/")
        tab.until("sessionStorage.getItem('loads') == '2' && window.__offered.length", 30)
        self.connected(tab)
        self.assertEqual(len(self.tickets(tab)), 1)
        self.assertEqual(tab.ask("sessionStorage.getItem('loads')"), "2")

    def test_kept_page(self) -> None:
        """With OpenClaw's service worker in place, whose cache has the page, a later visit gets a fresh ticket all the same."""
        profile = self.profile()
        tab = self.open_claw(profile)
        tab.until("navigator.serviceWorker.getRegistrations().then((all) => all.some((one) => one.active))", 30)
        tab.go("about:blank")
        tab.go(self.house.sandbox() + "/")
        self.connected(tab)
        self.assertTrue(tab.ask("navigator.serviceWorker.controller !== null"))
        self.assertEqual(len(self.tickets(tab)), 1)

    def test_signed_in_again(self) -> None:
        """Signed out and signed in again elsewhere in the same browser, the page comes back without being loaded anew."""
        profile = self.profile()
        tab = self.open_claw(profile)
        tab.ask("window.__same = true")
        offered = len(self.tickets(tab))
        self.house.coral_gate("session", "end", "--user", self.house.issuer, "alice")
        tab.until("document.querySelector('dialog[open]') !== null", 20)
        code, reason, clean = tab.ask("window.__closes[0]")
        self.assertEqual((code, clean), (4401, True))
        self.assertTrue(reason.endswith("."), reason)
        profile.set_cookie(self.house.portal, "__Host-coral", self.house.token("alice"))
        other = self.open_claw(profile)
        other.call("Page.close")
        tab.call("Page.bringToFront")
        tab.until("document.querySelector('dialog:modal') === null", 20)
        self.connected(tab)
        self.assertTrue(tab.ask("window.__same === true"))
        self.assertGreater(len(self.tickets(tab)), offered)


class RefusedTests(ClawTests):
    """What a page may not."""

    def test_replayed(self) -> None:
        """A ticket that was used opens nothing, in the same tab and in another; neither does none, or a cookie alone."""
        profile = self.profile()
        tab = self.open_claw(profile)
        used = self.tickets(tab)[-1]
        frame = (
            "(async () => { const page = document.createElement('iframe'); document.body.append(page);"
            " const Plain = page.contentWindow.WebSocket;"
            f" return new Promise((done) => {{ const socket = new Plain('wss://' + location.host + '/', ['coral.v1', '{used}']);"
            " socket.onopen = () => done('open'); socket.onclose = (event) => done(event.code); }); })()"
        )
        self.assertEqual(tab.ask(frame), 1006)
        other = self.open_claw(profile)
        self.assertEqual(other.ask(frame), 1006)
        self.assertIn("unknown-ticket", self.house.audited())

    def test_addresses(self) -> None:
        """A link with somebody else's gateway or token in it: taken out, and no socket goes anywhere else."""
        tab = self.tab(self.profile())
        for rest in ("?gatewayUrl=wss://evil.example/&token=x", "#gatewayUrl=wss://evil.example/&token=stolen", "?password=hunter2"):
            tab.go("about:blank")
            tab.go(self.house.sandbox() + "/" + rest)
            self.connected(tab)
            for url, _ in tab.ask("window.__offered"):
                self.assertTrue(url.startswith("wss://" + self.house.sandbox().removeprefix("https://")), url)
            for word in ("evil.example", "stolen", "hunter2"):
                self.assertNotIn(word, tab.url)
        for word in ("stolen", "hunter2"):
            self.assertNotIn(word, self.house.log + self.house.audited())

    def test_written_pages(self) -> None:
        """A page that the agent wrote, on the UI's own origin, gets no ticket, no storage and no socket."""
        tab = self.open_claw(self.profile())
        for path in ("/__openclaw__/canvas/documents/x/index.html", "/share/session?token=x", "/media/x", "/__openclaw__/cap/x/y"):
            status = tab.ask(f"fetch('{path}', {{cache: 'no-store'}}).then((answer) => answer.status)")
            self.assertIn(status, (403, 404), path)

    def test_blocked_methods(self) -> None:
        """What the table of methods does not name is answered by the gate, however the page asks; the socket stays."""
        tab = self.open_claw(self.profile())
        before = len(tab.ask("window.__closes"))
        asked = tab.ask("""(async () => {
          const { ticket } = await fetch('/.gate/ticket', {
            method: 'POST', headers: { 'Content-Type': 'application/json', 'X-Gate': '1' }, body: '{"channel":"control"}' })
            .then((answer) => answer.json());
          return typeof ticket;
        })()""")
        self.assertEqual(asked, "string", "a page of this origin can ask for its own tickets")
        self.say(tab, "Still connected")
        self.assertEqual(len(tab.ask("window.__closes")), before)
        self.assertNotIn("terminal.open", OPENCLAW_2026_9.allowed)

    def test_quiet(self) -> None:
        """The UI runs without a breach of its policy and without an error of a script, and no method that it uses is blocked."""
        before = self.house.audited().count("method-blocked")
        tab = self.open_claw(self.profile())
        self.say(tab, "Anything wrong?")
        for page in ("agents", "sessions", "plugins", "cron", "skills", "config", "usage", "logs"):
            tab.ask(f"history.pushState(null, '', '/{page}'), window.dispatchEvent(new PopStateEvent('popstate'))")
            time.sleep(0.4)
        said = [line for line in tab.complaints() if "404" not in line]
        self.assertEqual(said, [])
        self.assertEqual(self.house.audited().count("method-blocked"), before)

    def test_pictures(self) -> None:
        """What a person sees, for those who look."""
        tab = self.open_claw(self.profile())
        self.say(tab, "A picture, please")
        file = Path(tempfile.gettempdir()) / "coral-openclaw.png"
        tab.picture(file)
        self.assertGreater(file.stat().st_size, 10_000)


class SweepTests(ClawTests):
    """What a browser got, whole."""

    def test_nothing_in_the_browser(self) -> None:
        """
        In nothing that the browser received or keeps does OpenClaw's password stand, in none of six encodings, nor a token of its own.

        The search finds a decoy in each encoding that a reply of the model has, and what is put into storage.
        """
        decoy = "".join(secrets.choice(string.ascii_letters) for _ in range(40))
        self.house.model.says = " ".join(form.decode() for form in encodings(decoy))
        tab = self.open_claw(self.profile())
        self.say(tab, "Show me everything")
        for page in ("/settings/general", "/logs", "/agents", "/chat/main"):
            tab.go(self.house.sandbox() + page)
            self.connected_somehow(tab)
        tab.ask(f"localStorage.setItem('decoy', {json.dumps(decoy)})")
        frames, bodies, kept = self.frames(tab), self.bodies(tab), self.kept(tab)
        self.assertGreater(len(frames), 20)
        self.assertIn("__coralGate", bodies, "the gate's own script is among what was received")
        self.assertIn("hello-ok", frames)
        for form in encodings(decoy):
            self.assertIn(form.decode(), frames, "the search finds what is there")
        self.assertIn(decoy, kept)
        for form in encodings(self.house.claw.password):
            for place, text in (("frames", frames), ("bodies", bodies), ("storage", kept)):
                self.assertNotIn(form.decode(), text, place)
        for name in ("deviceToken", "recoveryScope", "stateDir", "configPath"):
            self.assertNotIn(f'"{name}"', frames)

    def connected_somehow(self, tab: Tab) -> None:
        """The page has its WebSocket, wherever in the UI it is."""
        heard = len(tab.heard("Network.webSocketFrameReceived"))
        tab.until("window.__offered && window.__offered.length", _CONNECTED_S)
        self.house.browser.wait(lambda: len(tab.heard("Network.webSocketFrameReceived")) > heard + 3, "the page's answers")

    def frames(self, tab: Tab) -> str:
        """Every WebSocket message, as it came and as it reads."""
        told = [str(heard["response"]["payloadData"]) for heard in tab.heard("Network.webSocketFrameReceived")]
        return "\n".join([*told, *(_read(one) for one in told)])

    def bodies(self, tab: Tab) -> str:
        """Every answer's head and content."""
        found = []
        for told in tab.heard("Network.responseReceived"):
            found.append(json.dumps(told["response"]["headers"]))
            try:
                body = tab.call("Network.getResponseBody", requestId=told["requestId"])
            except BrowserFault:
                continue  # a redirect, or the page is gone
            found.append(base64.b64decode(body["body"]).decode("latin-1") if body["base64Encoded"] else body["body"])
        return "\n".join(found)

    def kept(self, tab: Tab) -> str:
        """What the page keeps: storage of every kind, cookies that scripts see, the document."""
        return str(tab.ask(_KEPT))


_KEPT = """(async () => {
  const found = [JSON.stringify(localStorage), JSON.stringify(sessionStorage), document.cookie, document.documentElement.outerHTML];
  for (const { name } of await indexedDB.databases()) {
    const base = await new Promise((done, failed) => {
      const asked = indexedDB.open(name);
      asked.onsuccess = () => done(asked.result);
      asked.onerror = failed;
    });
    for (const store of base.objectStoreNames) {
      found.push(JSON.stringify(await new Promise((done, failed) => {
        const asked = base.transaction(store).objectStore(store).getAll();
        asked.onsuccess = () => done(asked.result);
        asked.onerror = failed;
      })));
    }
    base.close();
  }
  for (const name of await caches.keys()) {
    for (const request of await (await caches.open(name)).keys()) {
      const answer = await caches.match(request);
      found.push(request.url, /text|json|javascript/.test(answer.headers.get('content-type') || '') ? await answer.text() : '');
    }
  }
  return found.join('\\n');
})()"""


def _read(message: str) -> str:
    """Every string in a message, as a program reads it."""
    try:
        return "\n".join(_strings(json.loads(message)))
    except ValueError:
        return ""


def _strings(value: Any) -> list[str]:  # Any: whatever JSON it is
    if isinstance(value, str):
        return [value]
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return [text for one in inner for text in _strings(one)]
