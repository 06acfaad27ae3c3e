"""
A try-out from end to end, as a person does it: sign in with the word on the terminal, open the sandbox, sign out.

Everything runs for real but the browser: the daemon is a process, the sandbox is node.
"""

from __future__ import annotations

import http.client
import re
import tempfile
from html import unescape
from pathlib import Path
from urllib.parse import parse_qs, urlencode, urlsplit

from attrs import define, field
from twisted.internet.defer import Deferred
from twisted.internet.threads import deferToThread
from twisted.trial.unittest import TestCase

from tests.integration.daemon import Daemon
from tests.integration.node_origin import NodeOrigin

SANDBOX = "z" * 26
OTHER = "y" * 26


@define
class Answer:
    """What came back."""

    status: int
    fields: list[tuple[str, str]]
    body: str

    def field(self, name: str) -> str:
        """The first value of a field, or nothing."""
        return next((value for key, value in self.fields if key.lower() == name.lower()), "")


@define
class Browser:
    """Keeps cookies by host and goes where it is sent, as a browser does."""

    port: int
    cookies: dict[str, dict[str, str]] = field(factory=dict)

    def ask(self, url: str, method: str = "GET", form: dict[str, str] | None = None, fields: dict[str, str] | None = None) -> Answer:
        """One request; a form is sent by the origin's own page."""
        parts = urlsplit(url)
        jar = self.cookies.setdefault(parts.netloc, {})
        sent = {"Host": parts.netloc, "Accept": "text/html", **(fields or {})}
        if jar:
            sent["Cookie"] = "; ".join(f"{name}={value}" for name, value in jar.items())
        body = None
        if form is not None:
            method, body = "POST", urlencode(form)
            sent |= {"Origin": f"https://{parts.netloc}", "Content-Type": "application/x-www-form-urlencoded"}
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        try:
            connection.request(method, (parts.path or "/") + (f"?{parts.query}" if parts.query else ""), body, sent)
            response = connection.getresponse()
            answer = Answer(response.status, response.getheaders(), response.read().decode("utf-8", "replace"))
        finally:
            connection.close()
        for name, value in answer.fields:
            if name.lower() == "set-cookie":
                pair, _, attributes = value.partition(";")
                key, _, content = pair.partition("=")
                jar.pop(key, None)
                if "max-age=0" not in attributes.lower():
                    jar[key] = content
        if '"cookies"' in answer.field("clear-site-data"):
            jar.clear()
        return answer

    def visit(self, url: str, form: dict[str, str] | None = None) -> tuple[str, Answer]:
        """Follow redirects, and pages that go on by themselves, to where they end."""
        answer = self.ask(url, form=form)
        for _ in range(12):
            onwards = re.search(r'http-equiv="refresh" content="0;url=([^"]*)"', answer.body)
            location = answer.field("location") or (unescape(onwards[1]) if onwards else "")
            if not location:
                return url, answer
            url = location if "://" in location else "https://" + urlsplit(url).netloc + location
            answer = self.ask(url)
        raise RuntimeError("it goes round in circles")


class TryOutTests(TestCase):
    """One person's whole way."""

    timeout = 60

    async def start(self) -> tuple[Daemon, NodeOrigin]:
        """The daemon with the built-in issuer, and a sandbox of the person who signs in."""
        from twisted.internet import reactor

        folder = Path(tempfile.mkdtemp(prefix="coral-try-out-"))
        origin = await NodeOrigin.start(reactor)
        self.addCleanup(lambda: Deferred.fromCoroutine(origin.stop()))
        app = f'app = {{ kind = "tcp", host = "127.0.0.1", port = {origin.ports[0]} }}'
        settings = f"""
[[sandbox]]
id = "{SANDBOX}"
name = "Mine <b>"
speaks = "http"
{app}
owner = {{ issuer = "ISSUER", subject = "owner" }}
[[sandbox]]
id = "{OTHER}"
name = "Not mine"
speaks = "http"
{app}
owner = {{ issuer = "ISSUER", subject = "somebody-else" }}
[sign_in]
built_in = true
"""
        daemon = await Daemon.start(reactor, folder, [], settings.replace("ISSUER", "https://gate.localhost:@PORT@/local-issuer"))
        self.addCleanup(lambda: Deferred.fromCoroutine(daemon.stop()))
        return daemon, origin

    async def test_whole_way(self) -> None:
        """Sign-in, home, hand-off, the sandbox's page, somebody else's sandbox, the list of sessions, sign-out, and nothing after it."""
        daemon, origin = await self.start()
        word = re.search(r"one-time word: (\S+)", daemon.log)
        assert word is not None
        await deferToThread(self._whole_way, daemon, word[1])
        seen = await origin.take()
        self.assertTrue(seen)
        for record in seen:
            self.assertFalse([value for _, value in record.fields if b"__host-coral" in value.lower()])

    def _whole_way(self, daemon: Daemon, word: str) -> None:
        portal, mine = f"https://gate.localhost:{daemon.port}", f"https://{SANDBOX}.sbx.localhost:{daemon.port}"
        browser = Browser(daemon.port)
        url, page = browser.visit(mine + "/echo?x=1")
        self.assertEqual(urlsplit(url).path, "/sign-in")
        wanted = parse_qs(urlsplit(url).query)["next"][0]
        url, page = browser.visit(portal + "/sign-in/start", form={"next": wanted})
        self.assertIn("/local-issuer/", url)
        url, page = browser.visit(url, form={"user": "owner", "word": "wrong-word-wrong-word"})
        self.assertEqual(page.status, 403)
        url, page = browser.visit(url, form={"user": "owner", "word": word})
        self.assertEqual((url, page.status), (mine + "/echo?x=1", 200))
        self.assertEqual(set(browser.cookies[urlsplit(mine).netloc]), {"__Host-coral-sandbox"})
        self.assertIn("__Host-coral", browser.cookies[urlsplit(portal).netloc])
        _, page = browser.visit(portal + "/")
        self.assertIn("Mine &lt;b&gt;", page.body)
        self.assertNotIn("Not mine", page.body)
        self.assertEqual(browser.visit(f"https://{OTHER}.sbx.localhost:{daemon.port}/")[1].status, 404)
        self.assertIn("This browser", browser.visit(portal + "/sessions")[1].body)
        kept = {host: dict(jar) for host, jar in browser.cookies.items()}
        url, page = browser.visit(portal + "/sign-out", form={})
        self.assertEqual((url, page.status), (portal + "/signed-out", 200))
        for origin in (portal, mine):
            self.assertEqual(browser.cookies[urlsplit(origin).netloc], {})
        browser.cookies = kept  # a thief's copy
        self.assertEqual(browser.ask(mine + "/echo", fields={"Accept": "*/*"}).status, 401)
        self.assertEqual(browser.ask(portal + "/sessions", fields={"Accept": "*/*"}).status, 401)
