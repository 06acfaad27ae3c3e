"""Where a real browser lands: after a sign-in, after a hand-off, and when somebody goes back after signing out."""

from __future__ import annotations

import hashlib
import json
from urllib.parse import quote

from tests.integration.browser.house import MINE
from tests.integration.browser.quiet import Client, prove_quietly
from tests.integration.browser.tab import Profile, Tab
from tests.integration.test_browser import BrowserTests

_BEGINNINGS = (
    "", "/", "//", "///", "////", "/\\", "\\", "\\\\", "\\/", "/\\/", "/\t/", "\t//", "/\n/", "/\r\n/", "/ /", " //", "/\x00/", "/\x0b/",
    "/./", "/.//", "/..//", "/%2f", "/%5c", "/%09/", "/%2e%2e//", "https:", "https:/", "https://", "https:\\\\", "http://", "HtTpS://",
    "//@", "//gate.localhost@", "https://gate.localhost:1@", "//sbx.localhost\\@", ";//", "?//", "#//", ".", ":", "//\u3002", "/\u2215/",
)  # fmt: skip
_ENDS = (
    "evil.localhost", "evil.localhost/%2f..", "evil.localhost/..;/", "evil.localhost\\@gate.localhost", "evil.localhost:1/", "127.0.0.1",
    "2130706433/", "[::1]/", "gate.localhost.evil.localhost",
)  # fmt: skip
CORPUS = [
    *(beginning + end for beginning in _BEGINNINGS for end in _ENDS),
    "javascript:alert(1)", "JaVaScRiPt:alert(1)", "data:text/html,x", "blob:x", "about:blank", "view-source:x", "mailto:a@b", "/\ud7ff", "",
]  # fmt: skip
SAMPLE = CORPUS[::24]
_LEAVING = """(texts, base) => texts.filter((text) => {
  try { return new URL(text, base).origin != new URL(base).origin; } catch { return false; }
}).length"""
_LAND = "(url) => fetch(url).then((answer) => answer.url, String)"
_BEGIN = """(texts) => Promise.all(texts.map(async (next) => {
  const page = await (await fetch('/sign-in/start', { method: 'POST', body: new URLSearchParams({ next }) })).text();
  return page.match(/content="0;url=([^"]*)"/)[1].replaceAll('&amp;', '&');
}))"""


class LandingTests(BrowserTests):
    """No text leads off the site. Chromium's own parser says which of them would, and Chromium says where it has come to."""

    def setUp(self) -> None:
        super().setUp()
        self.alice = self.profile("alice")
        self.token = self.alice.cookie(self.house.portal, "__Host-coral") or ""

    def call(self, tab: Tab, script: str, *arguments: object) -> object:
        """What a function gives in a page."""
        return tab.ask(f"({script})({', '.join(map(json.dumps, arguments))})")

    def test_corpus(self) -> None:
        """The texts are dangerous: many of them lead elsewhere where a server believes them."""
        tab = self.alice.tab()
        self.assertGreaterEqual(len(set(CORPUS)), 300)
        leaving = self.call(tab, _LEAVING, CORPUS, self.house.portal)
        assert isinstance(leaving, int)
        self.assertGreater(leaving, 150)
        print(f"\n      {len(set(CORPUS))} texts, of which {leaving} lead elsewhere", end=" ")

    def test_after_hand_off(self) -> None:
        """Whatever `path=` says, a hand-off ends at the sandbox, by a script's eyes and in a tab."""
        tab = self.alice.tab()
        tab.go(self.house.sandbox() + "/")
        tab.at(self.house.sandbox() + "/")
        for text in CORPUS:
            landed = self.call(tab, _LAND, self._handed_over(text))
            self.assertTrue(str(landed).startswith(self.house.sandbox() + "/"), (text, landed))
        for text in SAMPLE:
            tab.go(self._handed_over(text))
            tab.at(self.house.sandbox() + "/")
            self.assertNotIn("/.gate/", tab.url)

    def _handed_over(self, path: str) -> str:
        """Where the portal sends the browser that holds a cookie that we know."""
        portal = Client(self.house.plain_port, f"gate.localhost:{self.house.port}", {"__Host-coral": self.token})
        self.alice.set_cookie(self.house.sandbox(), "__Host-Http-coral-pre", "V" * 43)
        binding = hashlib.sha256(b"V" * 43).hexdigest()
        answer = portal.ask(f"/handoff?sandbox={MINE}&browser={binding}&path={quote(path, safe='')}")
        self.assertEqual(answer.status, 303)
        return answer.location

    def test_after_sign_in(self) -> None:
        """
        Whatever `next` says, a sign-in ends at the portal, by a script's eyes and in a tab. Every third text: an issuer takes its time.
        """
        tab, jar = self.alice.tab(), dict[str, str]()
        tab.go(self.house.portal + "/sign-in")
        callback = f"{self.house.portal}/sign-in/callback"
        self.call(tab, _BEGIN, ["/"])  # from here on it has the cookie that all sign-ins of one browser share
        for texts, shown in ((CORPUS[::3], False), (SAMPLE, True)):
            ways = self.call(tab, _BEGIN, texts)
            assert isinstance(ways, list)
            for text, way in zip(texts, ways, strict=True):
                back = prove_quietly(way, self.house.issuer_port, callback, "alice", jar)
                if shown:
                    tab.go(back)
                    tab.at(self.house.portal + "/")
                    self.assertNotIn("/sign-in", tab.url)
                else:
                    landed = str(self.call(tab, _LAND, back))
                    self.assertTrue(landed.startswith(self.house.portal + "/") and "/sign-in" not in landed, (text, landed))


class BackTests(BrowserTests):
    """The back button."""

    def test_after_signing_out(self) -> None:
        """It shows nothing of the pages before, by the button or by a script; before the sign-out it does."""
        for way in ("history.back(); 0", "history.go(-2); 0", "button"):
            profile: Profile = self.profile("alice")
            tab = profile.tab()
            tab.go(self.house.portal + "/")
            tab.go(self.house.portal + "/sessions")
            self._back(tab, way if way != "history.go(-2); 0" else "history.back(); 0")
            tab.until("document.body.innerText.includes('First machine')")
            tab.go(self.house.portal + "/sessions")
            tab.click("Sign out")
            tab.at(self.house.portal + "/signed-out")
            self._back(tab, way)
            tab.until("location.pathname != '/signed-out' && document.readyState == 'complete'")
            tab.at(self.house.portal + "/sign")
            self.assertNotRegex(tab.text, "Alice|First machine|This browser")

    def _back(self, tab: Tab, way: str) -> None:
        if way == "button":
            tab.back()
        else:
            tab.ask(way)
