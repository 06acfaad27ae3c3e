"""What a hostile page can do in a real browser with cookies, service workers and codes: nothing that is not its own already."""

from __future__ import annotations

import hashlib
import json
from urllib.parse import urlsplit

from tests.integration.browser.attacks import AttackTests
from tests.integration.browser.devtools import BrowserFault
from tests.integration.browser.house import MINE, SECOND
from tests.integration.browser.quiet import Client
from tests.integration.browser.tab import Profile, Tab

EVIL, KNOWN = "E" * 43, "K" * 43
_OURS = ("__Host-coral", "__Host-coral-sandbox", "__Host-Http-coral-pre")
_PLANT = f"document.cookie = '__Host-coral-sandbox={EVIL}; Path=/; Secure'; document.cookie.length"
_FILL = "for (let n = 0; n < 200; n++) document.cookie = `fill${round}-${n}=1; Path=/; Secure; Domain=sbx.localhost`"
_LARGE = """for (let n = 0; n < 20; n++) document.cookie = `big${n}=${'x'.repeat(3900)}; Path=/; Secure; Domain=sbx.localhost`;
document.cookie.length"""
_REGISTER = "((path, options) => navigator.serviceWorker.register(path, options).then(() => 'registered', (error) => error.name))"
_THIEF = """onfetch = (event) => {
  const url = new URL(event.request.url);
  if (url.pathname == '/.gate/enter') event.respondWith(new Response('caught ' + url.searchParams.get('code')));
}"""


class CookieTests(AttackTests):
    """The gate's cookies."""

    def test_tossed(self) -> None:
        """A page cannot put a cookie of the gate's on any host but its own, by script or by its server, with a domain or without."""
        names = (*_OURS, "__Http-coral", "__Secure-coral", "coral")
        domains = ("", "; Domain=sbx.localhost", "; Domain=gate.localhost", "; Domain=localhost")
        shapes = [f"{name}={EVIL}; Path=/; Secure{domain}" for name in names for domain in domains]
        self.house.site.pages["/toss"] = ("text/html", "tossed", {"Set-Cookie": f"{_OURS[2]}={EVIL}; Path=/; Secure; HttpOnly"})
        for tab in self.attackers():
            tab.ask(f"for (const cookie of {json.dumps(shapes)}) document.cookie = cookie; 0")
            tab.ask("fetch('/toss').then((answer) => answer.text())")
        planted = {(one["name"], one["domain"]) for one in self.victim.cookies() if one["value"] == EVIL}
        self.assertIn(("coral", ".sbx.localhost"), planted, "the attack itself has worked")
        self.assertIn((_OURS[2], "evil.localhost"), planted, "and its server's too")
        ours = {(name, domain) for name, domain in planted if name in _OURS and domain != "evil.localhost"}
        self.assertLessEqual(ours, {("__Host-coral", f"{MINE}.sbx.localhost"), ("__Host-coral-sandbox", f"{MINE}.sbx.localhost")})
        self.comes_back()

    def test_full_jar(self) -> None:
        """A page that drives the gate's cookie out of a full jar and sets its own gets itself signed out there, and nothing else."""
        tab = next(self.attackers())
        for number in range(40):
            tab.ask(f"((round) => {{ {_FILL} }})({number}); {_PLANT}")
            if self.victim.cookie(self.mine, "__Host-coral-sandbox") == EVIL:
                break
        self.assertEqual(self.victim.cookie(self.mine, "__Host-coral-sandbox"), EVIL, "the attack itself has worked")
        self.comes_back()
        self.assertNotEqual(self.victim.cookie(self.mine, "__Host-coral-sandbox"), EVIL)

    def test_large(self) -> None:
        """Cookies for the whole site, too large for any request, lock nobody out for longer than a moment."""
        tab, other = next(self.attackers()), self.victim.tab()
        for _ in range(5):  # a picture that the page's tab fetches by itself may bring the answer that clears them
            tab.ask(_LARGE)
            other.go(self.house.sandbox(SECOND) + "/")
            if "431" in other.text:
                break
        self.assertIn("431", other.text, "the attack itself has worked")
        self.comes_back()

    def test_own_session_elsewhere(self) -> None:
        """The token of one sandbox opens neither another nor the portal."""
        token = self.victim.cookie(self.mine, "__Host-coral-sandbox")
        assert token is not None
        thief: Profile = self.profile()
        for url, name in ((self.house.portal, "__Host-coral"), (self.house.sandbox(SECOND), "__Host-coral-sandbox")):
            thief.set_cookie(url, name, token)
            tab = thief.tab()
            tab.go(url + "/")
            tab.at(self.house.portal + "/sign-in")
        thief.set_cookie(self.mine, "__Host-coral-sandbox", token)
        tab.go(self.mine + "/own")
        tab.at(self.mine + "/own")


class WorkerTests(AttackTests):
    """Service workers, of which a sandbox has one by right: `/sw.js`."""

    def setUp(self) -> None:
        super().setUp()
        fields = {"Service-Worker-Allowed": "/", "Cache-Control": "max-age=9999"}
        for path in ("/sw.js", "/x/sw.js", "/a.js", "/.gate/sw.js", "/.gate/enter"):
            self.house.site.script(path, _THIEF, **fields)

    def test_refused(self) -> None:
        """No other script becomes a worker, for no scope, least of all one at the gate's own addresses or in the browser's cache."""
        tab = next(self.attackers())
        for path in ("/x/sw.js", "/a.js", "/SW.js", "/.gate/sw.js", "/.gate/enter", "/.gate/bye"):
            tab.ask(f"fetch('{path}').catch(() => 0)")  # so that it is in the browser's cache, as a script
            for options in ({}, {"scope": "/"}, {"scope": "/.gate/"}, {"updateViaCache": "all"}):
                told = tab.ask(f"{_REGISTER}({json.dumps(path)}, {json.dumps(options)})")
                self.assertIn(told, ("SecurityError", "TypeError"), (path, options))
        self.assertEqual(tab.ask("navigator.serviceWorker.getRegistrations().then((all) => all.length)"), 0)
        self.assertEqual(tab.ask(f"{_REGISTER}('/sw.js', {{}})"), "registered")

    def caught(self, tab: Tab) -> str:
        """The code that a worker has caught on its way to the gate."""
        tab.until("document.body.innerText.startsWith('caught')")
        code = tab.text.partition(" ")[2]
        self.assertEqual(len(code), 43)
        return code

    def take_over(self, scope: str) -> Tab:
        """A page whose worker catches codes; the session that it was served in is gone, so that the browser is handed over anew."""
        tab = next(self.attackers())
        ready = "navigator.serviceWorker.getRegistration(location.origin + '/.gate/enter').then((one) => one && one.active != null)"
        self.assertEqual(tab.ask(f"{_REGISTER}('/sw.js', {{ scope: '{scope}' }})"), "registered")
        tab.until(ready)
        return tab

    def test_caught_code(self) -> None:
        """A code that a worker catches on its way opens nothing: not for who sends it from elsewhere, nor with a cookie of theirs."""
        for scope in ("/", "/.gate/"):
            tab = self.take_over(scope)
            self.victim.set_cookie(self.mine, "__Host-coral-sandbox", "x" * 43)
            tab.go(self.mine + "/wanted")
            for jar in ({}, {"__Host-Http-coral-pre": KNOWN}):
                thief = Client(self.house.plain_port, urlsplit(self.mine).netloc, jar)
                answer = thief.ask(f"/.gate/enter?code={self.caught(tab)}")
                self.assertNotIn("__Host-coral-sandbox", answer.cookies)
                self.assertEqual(answer.location, self.house.portal + "/used-up")
            self.assertIn('"other-browser"', self.house.audited())
            tab.ask("navigator.serviceWorker.getRegistrations().then((all) => Promise.all(all.map((one) => one.unregister())))")
        self.house.site.seen.clear()
        self.untouched()

    def test_begun_by_a_worker(self) -> None:
        """
        A hand-off that a page begins itself, with a cookie of its maker's, and whose code its worker catches, opens to its maker what
        is the page's already, that one sandbox: not the portal, not another sandbox, and nothing once she has signed out.
        """
        tab = self.take_over("/")
        binding = hashlib.sha256(KNOWN.encode()).hexdigest()
        tab.ask(f"location.assign('{self.house.portal}/handoff?sandbox={MINE}&browser={binding}&path=/'); 0")
        thief = Client(self.house.plain_port, urlsplit(self.mine).netloc, {"__Host-Http-coral-pre": KNOWN})
        token = thief.ask(f"/.gate/enter?code={self.caught(tab)}").cookies["__Host-coral-sandbox"]
        self.assertEqual(thief.ask("/own").status, 200)
        for authority in (f"gate.localhost:{self.house.port}", urlsplit(self.house.sandbox(SECOND)).netloc):
            jar = {"__Host-coral": token, "__Host-coral-sandbox": token}
            self.assertEqual(Client(self.house.plain_port, authority, jar).ask("/").status, 303)
        self.house.site.seen.clear()
        self.untouched()
        portal = self.victim.tab()
        portal.go(self.house.portal + "/")
        portal.click("Sign out")
        portal.until("!document.body.innerText.includes('Your sandboxes')")
        self.assertEqual(thief.ask("/own").status, 303)


class CodeTests(AttackTests):
    """Codes without a worker."""

    def test_replayed(self) -> None:
        """A code that another browser has seen opens nothing there, used or not."""
        answer = Client(self.house.plain_port, f"gate.localhost:{self.house.port}", {"__Host-coral": self.token or ""})
        location = answer.ask(f"/handoff?sandbox={MINE}&browser={hashlib.sha256(b'V' * 43).hexdigest()}&path=/").location
        thief = self.profile()
        tab = thief.tab()
        tab.go(location)
        tab.at(self.house.portal + "/used-up")
        self.assertIsNone(thief.cookie(self.mine, "__Host-coral-sandbox"))

    def test_forced(self) -> None:
        """A page that begins a hand-off to another sandbox, or brings its own person's code, opens and changes nothing there."""
        before = self.victim.cookie(self.house.sandbox(SECOND), "__Host-coral-sandbox")
        mallory = Client(self.house.plain_port, f"gate.localhost:{self.house.port}", {"__Host-coral": self.house.token("mallory")})
        binding = hashlib.sha256(KNOWN.encode()).hexdigest()
        theirs = mallory.ask(f"/handoff?sandbox={'t' * 26}&browser={binding}&path=/").location
        self.assertIn("/.gate/enter?code=", theirs)
        for tab in self.attackers():
            for url in (f"{self.house.portal}/handoff?sandbox={SECOND}&browser={binding}&path=/", theirs):
                tab.ask(f"document.cookie = '__Host-Http-coral-pre={KNOWN}; Path=/; Secure'; location.assign({json.dumps(url)}); 0")
                tab.at(self.house.portal + "/used-up")
        self.assertEqual(self.victim.cookie(self.house.sandbox(SECOND), "__Host-coral-sandbox"), before)
        self.untouched()

    def test_can_fail(self) -> None:
        """A tab that is elsewhere is found out."""
        tab = next(self.attackers())
        with self.assertRaises(BrowserFault):
            tab.at(self.house.portal, 0.1)
