"""What a hostile page can do in a real browser to the portal, and to another sandbox of the same person: nothing."""

from __future__ import annotations

import json

from tests.integration.browser.attacks import FETCH, FORM, FRAMES, REACH, SOCKETS, TAGS, AttackTests
from tests.integration.browser.house import SECOND


class RequestTests(AttackTests):
    """What a page makes a browser send. Each attack works where nothing stops it: on the other site's own server."""

    def test_fetch(self) -> None:
        """A script reads nothing, whichever method it asks with; of its own origin it reads all."""
        for tab in self.attackers():
            for method in ("GET", "POST"):
                for told in self.run_script(tab, FETCH, self.targets(), "cors", method):
                    self.assertIn("TypeError", told)
                [own] = self.run_script(tab, FETCH, ["/attack"], "cors", method)
                self.assertEqual(own[:2], ["basic", 200])
        self.untouched()

    def test_blind_fetch(self) -> None:
        """A script that asks without wanting to read changes nothing; what it sends elsewhere arrives."""
        for tab in self.attackers():
            for method in ("GET", "POST"):
                for told in self.run_script(tab, FETCH, self.targets(), "no-cors", method):
                    self.assertTrue("TypeError" in told or told == ["opaque", 0, 0], told)
        self.run_script(tab, FETCH, [self.house.elsewhere.replace("evil", "weak") + "/changed"], "no-cors", "POST")
        self.assertEqual(self.arrived("weak"), ["POST /changed"])
        self.untouched()

    def test_forms(self) -> None:
        """A form that submits itself does nothing at the portal or at another sandbox; elsewhere it arrives."""
        portal = [self.house.portal + path for path in ("/sign-out", "/sessions/end", "/sessions/end-others", "/sign-in/start")]
        for url in (*portal, self.house.sandbox(SECOND) + "/api/do"):
            for tab in self.attackers():
                self.run_script(tab, FORM, url, "post", "_self")
                tab.at(url)
                self.assertRegex(tab.text, r"40[13] ")
        tab.go(self.house.elsewhere + "/attack")
        weak = self.house.elsewhere.replace("evil", "weak") + "/changed"
        self.run_script(tab, FORM, weak, "post", "_self")
        tab.at(weak)
        self.assertEqual(self.arrived("weak"), ["POST /changed"])
        self.untouched()

    def test_tags(self) -> None:
        """Pictures, scripts, style sheets and plug-ins load nothing from there and change nothing; elsewhere they load."""
        for tab in self.attackers():
            told = self.run_script(tab, TAGS, self.targets())
            self.assertEqual([one for one in told if "loaded" in one and "object" not in one and "embed" not in one], [])
        self.house.site.script("/a.js", "0")
        self.assertIn("script loaded", self.run_script(tab, TAGS, [self.house.elsewhere.replace("evil", "weak") + "/a.js"]))
        self.untouched()

    def test_websockets(self) -> None:
        """No WebSocket opens; one to a server elsewhere is at least asked for."""
        second = self.house.sandbox(SECOND)
        urls = [self.house.portal + "/", self.house.portal + "/sessions", second + "/", second + "/x"]
        for tab in self.attackers():
            self.assertNotIn("open", self.run_script(tab, SOCKETS, urls))
        self.run_script(tab, SOCKETS, [self.house.elsewhere.replace("evil", "weak") + "/socket"])
        self.assertEqual(self.arrived("weak"), ["GET /socket"])
        self.untouched()

    def test_every_get(self) -> None:
        """A visit by a link changes nothing, whatever address of the portal it leads to: from a sandbox, and from elsewhere."""
        for tab in list(self.attackers())[1:]:
            start = tab.url
            for url in [url for url in self.targets() if url.startswith(self.house.portal)]:
                tab.go(start)
                tab.ask(f"location.assign({json.dumps(url + '?session=x&path=/&next=/')})")
                tab.until("!location.href.endsWith('/attack') && document.readyState == 'complete'")
            self.untouched()

    def test_speculation(self) -> None:
        """
        What a browser fetches ahead at a page's wish changes nothing: no session ends and no code is issued. At another sandbox it
        is a GET that says so.
        """
        urls = [*self.targets(), f"{self.house.portal}/handoff?sandbox={SECOND}&browser={'0' * 64}&path=/"]
        rules = json.dumps({kind: [{"source": "list", "urls": urls, "eagerness": "immediate"}] for kind in ("prefetch", "prerender")})
        links = "".join(f'<link rel=prefetch href="{url}"><link rel=prerender href="{url}">' for url in urls)
        self.house.site.page("/ahead", f'{links}<script type="speculationrules">{rules}</script>')
        for url in (self.mine, self.house.elsewhere):
            tab = self.victim.tab()
            tab.go(url + "/ahead")
            tab.ask("new Promise((done) => setTimeout(done, 1200))")
        ahead = [one for one in self.house.site.seen if one.sandbox == SECOND and "sec-purpose" in one.fields]
        self.assertTrue(ahead, "the attack itself has worked")
        self.assertEqual({(one.method, one.fields["sec-purpose"]) for one in ahead}, {("GET", "prefetch")})
        self.house.site.seen[:] = [one for one in self.house.site.seen if one not in ahead]
        self.untouched()
        self.assertEqual(self.handed_over(), self.issued)


class WindowTests(AttackTests):
    """What a page sees of a window."""

    def windows(self) -> tuple[str, ...]:
        """Pages that a page might want to look into."""
        return self.house.portal + "/", self.house.portal + "/sign-in", self.house.sandbox(SECOND) + "/"

    def test_frames(self) -> None:
        """No page of the gate's or of another sandbox's shows in a frame; a weak server's does, and is read."""
        for tab in self.attackers():
            told = self.run_script(tab, FRAMES, self.windows())
            self.assertEqual(set(told), {"SecurityError"}, told)
            said = [line for line in tab.complaints() if "frame-ancestors" in line or "ERR_BLOCKED_BY_RESPONSE" in line]
            self.assertGreaterEqual(len(said), 3, tab.complaints())
        [own] = self.run_script(tab, FRAMES, [self.house.elsewhere + "/"])
        self.assertIn("A sandbox's page", own)
        self.untouched()

    def test_popups(self) -> None:
        """A window that a page opens is out of its hands: it is neither read nor moved, and looks closed; its own is read."""
        for tab in self.attackers():
            for url in self.windows():
                before = self.victim.tabs()
                tab.ask(f"window.popup = window.open({json.dumps(url)}, 'popup'); 0")
                popup = self.victim.opened(before)
                popup.at(url)
                self.assertEqual(tab.ask(REACH), {"closed": True, "length": 0, "text": "SecurityError", "path": "SecurityError"}, url)
                self.assertEqual(popup.url, url)
                self.house.browser.call("Target.closeTarget", targetId=popup.target)
        tab.ask("window.popup = window.open('/own', 'popup'); new Promise((done) => { popup.onload = () => done(0); })")
        own = tab.ask(REACH)
        self.assertEqual((own["closed"], own["path"]), (False, "/own"))
        self.assertIn("A sandbox's page", own["text"])
        self.house.site.seen.clear()
        self.untouched()

    def test_messages(self) -> None:
        """A window that a page opens hears nothing of it and has no way back to it; its own has, and hears it."""
        listen = "window.heard = []; addEventListener('message', (event) => heard.push(event.data)); 0"
        for tab in self.attackers():
            own = tab.url.rpartition("/")[0] + "/own"
            for url, told in (*((url, [False, "", []]) for url in self.windows()), (own, [True, "popup", ["hello"]])):
                before = self.victim.tabs()
                tab.ask(f"window.popup = window.open({json.dumps(url)}, 'popup'); 0")
                popup = self.victim.opened(before)
                popup.at(url)
                popup.ask(listen)
                tab.ask(REACH)
                self.assertEqual(popup.ask("[opener != null, window.name, heard]"), told, url)
                self.house.browser.call("Target.closeTarget", targetId=popup.target)
        self.house.site.seen.clear()
        self.untouched()

    def test_document_domain(self) -> None:
        """Two sandboxes do not become one origin by giving up a part of their names, even if their server asks for it."""
        self.house.site.page("/attack", "weak", **{"Origin-Agent-Cluster": "?0"})
        script = "((domain) => { try { document.domain = domain; } catch (error) { } return [document.domain, originAgentCluster]; })"
        tab = self.victim.tab()
        tab.go(self.house.elsewhere.replace("evil", "a.evil") + "/attack")
        self.assertEqual(tab.ask(f"{script}('evil.localhost')"), ["evil.localhost", False])
        tab.go(self.mine + "/attack")
        self.assertEqual(tab.ask(f"{script}('sbx.localhost')"), [self.mine.split("//")[1].split(":")[0], True])
