"""A person's way through the house in Chromium: in, over to a sandbox, out, and nothing left behind."""

from __future__ import annotations

import tempfile
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from tests.integration.browser.house import MINE, SECOND, House, house
from tests.integration.browser.quiet import Client, begin_quietly, prove_quietly
from tests.integration.browser.tab import Profile, Tab
from tests.integration.needs import needs

_KEPT = """(async () => {
  localStorage.setItem('kept', '1');
  document.cookie = 'kept=1; path=/';
  await new Promise((done, failed) => {
    const asked = indexedDB.open('kept', 1);
    asked.onupgradeneeded = () => asked.result.createObjectStore('s');
    asked.onsuccess = () => { asked.result.close(); done(); };
    asked.onerror = failed;
  });
  await (await caches.open('kept')).put('/kept', new Response('1'));
})()"""
_LEFT = """(async () => [
  ...Object.keys(localStorage), document.cookie, ...(await indexedDB.databases()).map((one) => one.name), ...(await caches.keys()),
  ...(await navigator.serviceWorker.getRegistrations()).map((one) => one.scope),
].filter(Boolean))()"""


class BrowserTests(SynchronousTestCase):
    """A house and people's browsers."""

    if why := needs("chromium"):
        skip = why

    house: House

    def setUp(self) -> None:
        self.house = house()
        self.house.site.seen.clear()
        self.house.site.pages.clear()

    def profile(self, subject: str | None = None) -> Profile:
        """A browser that is gone after the test."""
        profile = self.house.profile(subject)
        self.addCleanup(profile.close)
        return profile

    def at_issuer(self, tab: Tab, subject: str) -> None:
        """Type name and password at the issuer and agree to what it asks."""
        tab.until("document.activeElement.name == 'login'")
        tab.type(subject)
        tab.press("Tab")
        tab.type("any password")
        tab.press("Enter")
        tab.until(f"!location.href.startsWith('{self.house.issuer}') || document.activeElement.innerText == 'Continue'")
        if tab.url.startswith(self.house.issuer):  # else it has asked before
            tab.press("Enter")

    def sign_in(self, tab: Tab, subject: str = "alice") -> None:
        """The whole way in, by the pages."""
        tab.go(self.house.portal + "/")
        tab.click("Sign in with Example")
        self.at_issuer(tab, subject)
        tab.until("document.body.innerText.includes('Your sandboxes')")

    def no_breach(self, *tabs: Tab) -> None:
        """No page broke a policy of its own origin or threw."""
        for tab in tabs:
            said = [line for line in tab.complaints() if "op.localhost" not in line and _is_breach(line)]
            self.assertEqual(said, [])


def _is_breach(line: str) -> bool:
    return any(word in line for word in ("Content Security Policy", "violat", "Refused to", "Uncaught", "TrustedTypes", "TrustedScript"))


class WayTests(BrowserTests):
    """In and out."""

    def test_whole_way(self) -> None:
        """
        Sign in at the issuer, see the sandboxes, open one, see this browser in the list, sign out: the session is over everywhere,
        each opened sandbox's origin keeps nothing, the back button shows nothing, and a copy of the cookies opens nothing.
        """
        profile = self.profile()
        tab = profile.tab()
        self.sign_in(tab)
        self.assertIn("First machine", tab.text)
        self.assertIn("Alice Example", tab.text)
        before = profile.tabs()
        tab.click("Open")
        sandbox = profile.opened(before)
        sandbox.at(self.house.sandbox() + "/")
        self.assertIn("A sandbox's page", sandbox.text)
        self.assertIsNone(sandbox.ask("window.opener"))
        sandbox.ask(_KEPT)
        second = profile.tab()
        second.go(self.house.sandbox(SECOND) + "/deep/page?x=1#y")
        second.at(self.house.sandbox(SECOND) + "/deep/page?x=1#y")
        second.ask(_KEPT)
        self.assertEqual({one.sandbox for one in self.house.site.seen}, {MINE, SECOND})
        for one in self.house.site.seen:
            self.assertNotIn("coral", one.fields.get("cookie", "").lower())
            self.assertNotIn("code=", one.fields.get("referer", ""))
        tab.click("Sessions")
        tab.until("document.body.innerText.includes('Where you are signed in')")
        self.assertIn("This browser", tab.text)
        kept = profile.cookies()
        tab.click("Sign out")
        tab.at(self.house.portal + "/signed-out")
        self.no_breach(tab, sandbox, second)
        self._nothing_left(profile)
        self._nothing_behind(tab)
        self._nothing_opens(kept)

    def _nothing_left(self, profile: Profile) -> None:
        gone = [one["name"] for one in profile.cookies() if one["domain"].endswith((".sbx.localhost", "gate.localhost"))]
        self.assertEqual(gone, [])
        for name in (MINE, SECOND):
            tab = profile.tab()
            tab.go(self.house.sandbox(name) + "/.gate/bye")  # the gate's own answer: a document of that origin, without a session
            self.assertEqual(tab.ask(_LEFT), [], name)

    def _nothing_behind(self, tab: Tab) -> None:
        for entry in tab.call("Page.getNavigationHistory")["entries"]:
            if not entry["url"].startswith(self.house.portal):
                continue
            tab.call("Page.navigateToHistoryEntry", entryId=entry["id"])
            tab.at(self.house.portal + "/sign")
            self.assertNotIn("First machine", tab.text)
            self.assertNotIn("Alice", tab.text)

    def _nothing_opens(self, kept: list[dict[str, object]]) -> None:
        thief = self.profile()
        ours = [one for one in kept if "coral" in str(one["name"])]
        self.assertGreaterEqual(len(ours), 3)
        for one in ours:
            thief.set_cookie(f"https://{one['domain']}:{self.house.port}/", str(one["name"]), str(one["value"]))
        tab = thief.tab()
        for url in (self.house.portal + "/", self.house.portal + "/sessions", self.house.sandbox() + "/", self.house.sandbox(SECOND) + "/"):
            tab.go(url)
            tab.at(self.house.portal + "/sign-in")

    def test_two_tabs(self) -> None:
        """Two tabs of one browser sign in at once, one after the other at the issuer: both come in, each to where it wanted to go."""
        profile = self.profile()
        first, second = profile.tab(), profile.tab()
        first.go(self.house.portal + "/sessions")
        second.go(self.house.sandbox() + "/inside")
        for tab in (first, second):
            tab.click("Sign in with Example")
            tab.at(self.house.issuer)
        self.at_issuer(second, "alice")
        second.at(self.house.sandbox() + "/inside")
        self.at_issuer(first, "alice")
        first.at(self.house.portal + "/sessions")
        self.assertIn("This browser", first.text)
        self.no_breach(first, second)

    def test_keyboard(self) -> None:
        """Tab and Enter are enough: to the issuer, in, into a sandbox, and out."""
        profile = self.profile()
        tab = profile.tab()
        tab.go(self.house.portal + "/")
        tab.tab_to("Sign in with Example")
        tab.press("Enter")
        self.at_issuer(tab, "alice")
        tab.at(self.house.portal + "/")
        before = profile.tabs()
        tab.tab_to("Open")
        tab.press("Enter")
        profile.opened(before).at(self.house.sandbox() + "/")
        tab.tab_to("Sessions")
        tab.press("Enter")
        tab.at(self.house.portal + "/sessions")
        tab.tab_to("Sign out")
        tab.press("Enter")
        tab.at(self.house.portal + "/signed-out")
        self.no_breach(tab)

    def test_end_from_the_list(self) -> None:
        """Another browser's session ends from the list, at once and there."""
        here, there = self.profile("alice").tab(), self.profile("alice").tab()
        there.go(self.house.sandbox() + "/")
        there.at(self.house.sandbox() + "/")
        here.go(self.house.portal + "/sessions")
        here.click("End all others")
        here.until("!document.body.innerText.includes('End all others')")
        self.assertIn("This browser", here.text)
        there.go(self.house.sandbox() + "/again")
        there.at(self.house.portal + "/sign-in")

    def test_looks(self) -> None:
        """Every page in light and in dark, wide and narrow, keeps its text readable; pictures of them stand in a temporary folder."""
        folder = Path(tempfile.mkdtemp(prefix="coral-pictures-"))
        tab = self.profile("alice").tab()
        stranger = self.profile().tab()
        pages = {"home": tab, "sessions": tab, "handoff?sandbox=x": tab, "sign-in": stranger, "signed-out": stranger, "used-up": stranger}
        for scheme in ("light", "dark"):
            for width in (1100, 380):
                for path, shown in pages.items():
                    shown.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
                    shown.call("Emulation.setDeviceMetricsOverride", width=width, height=760, deviceScaleFactor=1, mobile=width < 500)
                    shown.go(f"{self.house.portal}/{'' if path == 'home' else path}")
                    shown.picture(folder / f"{scheme}-{width}-{path.partition('?')[0]}.png")
                    self.assertEqual(shown.ask(_TOO_PALE), [], (scheme, path))
                    self.assertLessEqual(shown.ask("document.documentElement.scrollWidth"), width, (scheme, path))
        self.no_breach(tab, stranger)
        print(f"\n      pictures in {folder}", end=" ")

    def test_hostile_names(self) -> None:
        """A hundred sandboxes with hostile names, a person and a browser with another: nothing runs, and no policy has to stop it."""
        profile = self.profile()
        tab = profile.tab()
        tab.call("Network.setUserAgentOverride", userAgent="</td><script>window.ran=1</script><img src=x onerror=window.ran=1>")
        self.sign_in(tab, "hostile")
        self.assertGreater(tab.ask("document.querySelectorAll('h2').length"), 80)
        for path in ("/", "/sessions", "/sign-in?next=%22%3E%3Cscript%3Ewindow.ran=1%3C/script%3E"):
            tab.go(self.house.portal + path)
            self.assertIsNone(tab.ask("window.ran"))
            odd = "document.querySelectorAll('script:not([src=\"/static/home.js\"]), iframe, [onerror], [onload]').length"
            self.assertEqual(tab.ask(odd), 0)
        self.assertEqual(tab.heard("Page.javascriptDialogOpening"), [])
        self.no_breach(tab)


_TOO_PALE = """(() => {
  const channel = (value) => { value /= 255; return value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4; };
  const canvas = new OffscreenCanvas(1, 1).getContext('2d', { willReadFrequently: true });
  const octets = (color) => {
    canvas.clearRect(0, 0, 1, 1); canvas.fillStyle = color; canvas.fillRect(0, 0, 1, 1);
    return canvas.getImageData(0, 0, 1, 1).data;
  };
  const light = ([red, green, blue]) => 0.2126 * channel(red) + 0.7152 * channel(green) + 0.0722 * channel(blue);
  const behind = (element) => {
    for (; element; element = element.parentElement) {
      const found = octets(getComputedStyle(element).backgroundColor);
      if (found[3] == 255) return found;
    }
    return octets('Canvas');
  };
  const pale = [];
  for (const element of document.querySelectorAll('body *')) {
    const text = [...element.childNodes].filter((node) => node.nodeType == 3).map((node) => node.data.trim()).join('');
    if (!text) continue;
    const [one, other] = [light(octets(getComputedStyle(element).color)), light(behind(element))];
    const contrast = (Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05);
    if (contrast < 4.5) pale.push(`${text}: ${contrast.toFixed(2)}`);
  }
  return pale;
})()"""
"""Text whose contrast is below 4.5:1 (WCAG 2.2 §1.4.3)."""


class SignInTests(BrowserTests):
    """Whose session a browser gets."""

    def test_attackers_sign_in(self) -> None:
        """
        What an attacker brings back from the issuer signs nobody in in a victim's browser: with no sign-in under way, with one of the
        victim's own, and when they are signed in, who stay who they are.
        """
        for victim in (self.profile(), self.profile("alice")):
            tab = victim.tab()
            before = victim.cookie(self.house.portal, "__Host-coral")
            for under_way in (False, True):
                if under_way:
                    tab.go(self.house.portal + "/sign-in")
                    tab.click("Sign in with Example")
                    tab.at(self.house.issuer)
                tab.go(self._attackers_callback())
                self.assertIn("You could not be signed in", tab.text)
                self.assertEqual(victim.cookie(self.house.portal, "__Host-coral"), before)

    def _attackers_callback(self) -> str:
        gate = Client(self.house.plain_port, f"gate.localhost:{self.house.port}")
        return prove_quietly(begin_quietly(gate), self.house.issuer_port, f"{self.house.portal}/sign-in/callback", "mallory")

    def test_planted_session(self) -> None:
        """A session cookie that was there before the sign-in is replaced, and its session ends."""
        planted = self.house.token("mallory")
        profile = self.profile()
        profile.set_cookie(self.house.portal, "__Host-coral", planted)
        tab = profile.tab()
        tab.go(self.house.portal + "/sign-in")
        tab.click("Sign in with Example")
        self.at_issuer(tab, "alice")
        tab.until("document.body.innerText.includes('Alice Example')")
        self.assertNotIn(profile.cookie(self.house.portal, "__Host-coral"), (None, planted))
        self.assertEqual(Client(self.house.plain_port, f"gate.localhost:{self.house.port}", {"__Host-coral": planted}).ask("/").status, 303)

    def test_planted_binding(self) -> None:
        """Neither is one opened by a cookie that somebody else knows: a stranger's link begins no sign-in by itself."""
        tab = self.profile().tab()
        tab.go(self.house.portal + "/sign-in/start")
        self.assertIn("405", tab.text)
