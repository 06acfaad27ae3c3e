"""Each address of the portal: what it asks of the gate, and what it shows."""

from __future__ import annotations

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from coral_gate.errors import SignInRefused
from coral_gate.gate.routes import ROUTES
from coral_gate.model import ChannelKind
from tests.portal.asking import FORM, SANDBOX, SESSION, Broken, Portal, respond_teapot, visitor
from tests.portal.reading import Document

ALICE = visitor()


class AddressTests(SynchronousTestCase):
    """What is asked of the gate, and where a browser goes."""

    def setUp(self) -> None:
        self.portal = Portal()
        self.desk = self.portal.desk

    def test_every_route(self) -> None:
        """Each row of the gate's route table that leads here is answered, with each of its methods, and by no other page than its own."""
        for route in ROUTES:
            if route.channel is not ChannelKind.PORTAL:
                continue
            path = route.path.decode() + {"portal.static": "portal.css", "portal.hand-off": f"?sandbox={SANDBOX}"}.get(route.name, "")
            for method in route.methods:
                answer = self.portal.ask(path, method.decode(), who=ALICE, sandbox=SANDBOX)
                self.assertLess(answer.status, 404, f"{method!r} {path}")
                self.assertNotEqual(answer.status, 400, path)
                self.assertTrue(answer.value(b"cache-control"), path)

    def test_other_methods(self) -> None:
        """Other methods do nothing, whatever the gate lets through."""
        for path in (*_POSTS, "/", "/sessions", "/handoff", "/sign-in", "/used-up", "/.gate/enter", "/.gate/bye"):
            for method in ("PUT", "DELETE", "PATCH", "OPTIONS", "POST" if path not in _POSTS else "GET"):
                self.assertEqual(self.portal.ask(path, method, who=ALICE, sandbox=SANDBOX).status, 405, f"{method} {path}")
        self.assertEqual(self.desk.asked, [])

    def test_head(self) -> None:
        """HEAD has the fields of GET and no content (RFC 9110 §9.3.2)."""
        for path in ("/", "/sessions", "/sign-in", "/signed-out", "/static/portal.css", "/favicon.ico", "/robots.txt", "/livez", "/readyz"):
            get, head = (self.portal.ask(path, method, who=ALICE) for method in ("GET", "HEAD"))
            self.assertEqual((head.status, head.body), (200, b""), path)
            for name in (b"content-type", b"content-length", b"cache-control", b"etag"):
                self.assertEqual(head.value(name), get.value(name), (path, name))

    def test_sign_in(self) -> None:
        """The way in names the issuer and remembers where the person wanted to go."""
        page = Document.of(self.portal.ask("/sign-in?next=/handoff%3Fsandbox%3Dx").body)
        self.assertEqual([node.text for node in page.all("button")], ["Sign in with Example"])
        [form], [field] = page.all("form"), page.all("input")
        self.assertEqual((form.attributes["method"], form.attributes["action"]), ("post", "/sign-in/start"))
        self.assertEqual((field.attributes["name"], field.attributes["value"]), ("next", "/handoff?sandbox=x"))

    def test_start(self) -> None:
        """To the issuer, by a page that goes on by itself; the browser's cookies go along, and where the person wanted to go."""
        answer = self.portal.post("/sign-in/start", ("next", "/sessions"), cookie=b"a=1")
        self.assertEqual(self.desk.asked, [("begin", b"a=1", b"/sessions")])
        self.assertEqual((answer.status, answer.value(b"location"), answer.value(b"set-cookie")), (200, None, b"c=1; Secure"))
        refresh = [node for node in Document.of(answer.body).all("meta") if "http-equiv" in node.attributes]
        self.assertEqual([node.attributes["content"] for node in refresh], ["0;url=/there"])
        self.portal.post("/sign-in/start")
        self.assertEqual(self.desk.asked[-1], ("begin", None, b""))

    def test_callback(self) -> None:
        """Back from the issuer: the query goes on as it stands, with who asks."""
        answer = self.portal.ask("/sign-in/callback?code=a%20b&state=s", "GET", (b"User-Agent", b"Br\xffwser"), cookie=b"p=1")
        self.assertEqual(self.desk.asked, [("finish", b"code=a%20b&state=s", b"p=1", "Br\N{REPLACEMENT CHARACTER}wser", "192.0.2.7")])
        self.assertEqual((answer.status, answer.value(b"location"), answer.value(b"set-cookie")), (303, b"/there", b"c=1; Secure"))
        self.assertEqual(answer.body, b"")

    def test_sessions(self) -> None:
        """This browser is named and cannot be ended from the list; others can."""
        page = Document.of(self.portal.ask("/sessions", who=ALICE).body)
        self.assertIn("This browser", page.text)
        self.assertNotIn("/sessions/end", [form.attributes["action"] for form in page.all("form")])

    def test_end_session(self) -> None:
        """One session is ended by its public id, all others without one; both lead back to the list."""
        for path, fields, asked in (
            ("/sessions/end", [("session", "x" * 26)], ("end_other", SESSION.id, "x" * 26, "192.0.2.7")),
            ("/sessions/end-others", [], ("end_others", SESSION.id, "192.0.2.7")),
        ):
            answer = self.portal.post(path, *fields, who=ALICE)
            self.assertEqual((self.desk.asked.pop(), answer.status, answer.value(b"location")), (asked, 303, b"/sessions"))

    def test_sign_out(self) -> None:
        """Out by way of the sandboxes, by a page that goes on by itself."""
        answer = self.portal.post("/sign-out", who=ALICE)
        self.assertEqual(self.desk.asked, [("sign_out", SESSION.id, "192.0.2.7")])
        self.assertEqual(answer.status, 200)
        self.assertIn(b'content="0;url=/there"', answer.body)

    def test_hand_off(self) -> None:
        """Over to a sandbox; the parameters go on decoded once."""
        answer = self.portal.ask(f"/handoff?sandbox={SANDBOX}&browser={'0' * 64}&path=/a%3Fb%3D%2520c", who=ALICE)
        self.assertEqual(self.desk.asked, [("hand_off", SESSION.id, SANDBOX, "0" * 64, b"/a?b=%20c", "192.0.2.7")])
        self.assertEqual((answer.status, answer.value(b"location")), (303, b"/there"))

    def test_no_such_sandbox(self) -> None:
        """What is not there, what is somebody else's and what is no id look alike, to the byte."""
        self.desk.journey = None
        answers = [
            self.portal.ask(f"/handoff?sandbox={name}&browser=b&path=/", who=ALICE)
            for name in ("a" * 26, "b" * 26, "x", "", "A" * 26, "%00" * 26, "a" * 26 + "&sandbox=" + "b" * 26)
        ]
        self.assertEqual({answer.status for answer in answers}, {404})
        self.assertEqual(len({bytes(answer.body) for answer in answers}), 1)

    def test_enter(self) -> None:
        """In at a sandbox with a code and the cookies of its origin."""
        answer = self.portal.ask("/.gate/enter?code=abc", sandbox=SANDBOX, cookie=b"p=1")
        self.assertEqual(self.desk.asked, [("enter", b"abc", SANDBOX, b"p=1", "192.0.2.7")])
        self.assertEqual((answer.status, answer.value(b"location")), (303, b"/there"))

    def test_used_up(self) -> None:
        """Whatever is wrong with a code, the browser goes to the same page of the portal; none is shown at the sandbox's address."""
        self.desk.journey = None
        answers = [
            self.portal.ask(target, sandbox=SANDBOX)
            for target in ("/.gate/enter?code=abc", "/.gate/enter", "/.gate/enter?code=a&code=b", "/.gate/enter?code=%ff")
        ]
        used_up = b"https://gate.localhost:8443/used-up"
        self.assertEqual({(answer.status, answer.value(b"location"), bytes(answer.body)) for answer in answers}, {(303, used_up, b"")})
        self.assertIn("used up", Document.of(self.portal.ask("/used-up").body).text)

    def test_bye(self) -> None:
        """On to the next sandbox on the way out."""
        answer = self.portal.ask("/.gate/bye?rest=a.b&until=17&proof=ff", sandbox=SANDBOX)
        self.assertEqual(self.desk.asked, [("farewell", SANDBOX, "a.b", "17", "ff")])
        self.assertEqual((answer.status, answer.value(b"location")), (303, b"/there"))

    def test_no_farewell(self) -> None:
        """Whatever is wrong with a way out, the answer is the same, and no page that the sandbox could dress up."""
        self.desk.journey = None
        answers = [self.portal.ask(target, sandbox=SANDBOX) for target in ("/.gate/bye", "/.gate/bye?rest=x&until=1&proof=2")]
        told = {(answer.status, answer.value(b"content-type"), bytes(answer.body)) for answer in answers}
        self.assertEqual(told, {(403, b"text/plain; charset=utf-8", b"You may not do this.\n")})

    def test_fault_at_a_sandbox(self) -> None:
        """Neither is a fault shown there as one of our pages."""
        self.desk.failing = Broken()
        answer = self.portal.ask("/.gate/enter?code=x", sandbox=SANDBOX)
        self.assertEqual((answer.status, answer.body), (503, b"It is not there <now>.\n"))
        self.assertEqual(answer.value(b"content-type"), b"text/plain; charset=utf-8")


_POSTS = ("/sessions/end", "/sign-out", "/sign-in/start")


class FormTests(SynchronousTestCase):
    """What could be read in two ways is not read."""

    def setUp(self) -> None:
        self.portal = Portal()

    def test_refused(self) -> None:
        """A form that is none is refused, and nothing is done."""
        for kind, body in (
            (FORM[1], b"session=a&session=b"),
            (FORM[1], b"session=a&&session=b"),
            (FORM[1], b"session"),
            (FORM[1], b"session=%ff"),
            (FORM[1], b"session=\xc3\xa9"),
            (FORM[1], b"&".join(b"f%d=1" % number for number in range(17))),
            (b"application/json", b'{"session": "a"}'),
            (b"text/plain", b"session=a"),
            (b"multipart/form-data; boundary=x", b'--x\r\nContent-Disposition: form-data; name="session"\r\n\r\na\r\n--x--\r\n'),
            (b"", b"session=a"),
        ):
            answer = self.portal.ask("/sessions/end", "POST", (b"Content-Type", kind), body=body, who=ALICE)
            self.assertEqual(answer.status, 400, body)
        self.assertEqual(self.portal.desk.asked, [])

    def test_taken(self) -> None:
        """A form as browsers send it, with fields that nobody asked for."""
        for kind in (FORM[1], b"Application/X-WWW-Form-URLEncoded; charset=UTF-8"):
            self.portal.ask("/sessions/end", "POST", (b"Content-Type", kind), body=b"x=1&session=%61+b&y=", who=ALICE)
            self.assertEqual(self.portal.desk.asked.pop()[2], "a b")

    def test_method_override(self) -> None:
        """No field of a form and no field of a head makes a POST of a GET, or another method of a POST."""
        override = (b"X-HTTP-Method-Override", b"DELETE")
        self.assertEqual(self.portal.ask("/sign-out", "GET", override, who=ALICE).status, 405)
        self.assertEqual(self.portal.ask("/sign-out?_method=POST", "GET", who=ALICE).status, 405)
        self.assertEqual(self.portal.desk.asked, [])


class FailureTests(SynchronousTestCase):
    """Nothing internal is shown."""

    def setUp(self) -> None:
        self.portal = Portal()

    def test_faults(self) -> None:
        """A fault's own sentence is shown, escaped, with its status and a way back."""
        self.portal.desk.failing = Broken("internal-word")
        asked = [("/", "GET"), ("/sign-out", "POST"), ("/handoff?sandbox=" + SANDBOX, "GET")]
        for answer in [self.portal.ask(target, method, who=ALICE) for target, method in asked]:
            self.assertEqual(answer.status, 503)
            self.assertIn(b"It is not there &lt;now&gt;.", answer.body)
            self.assertNotIn(b"internal-word", answer.body)
            self.assertEqual(answer.value(b"cache-control"), b"no-store")

    def test_refused_sign_in(self) -> None:
        """Every refusal of a sign-in looks alike; the reason is for the audit log."""
        bodies = set()
        for reason in ("state.unknown", "nonce.wrong", "person.not_listed", "user.disabled"):
            self.portal.desk.failing = SignInRefused(reason)
            answer = self.portal.ask("/sign-in/callback?code=c&state=s")
            self.assertEqual((answer.status, answer.value(b"set-cookie")), (403, None))
            bodies.add(bytes(answer.body))
        [body] = bodies
        self.assertNotIn(b"nonce", body)

    def test_mistakes(self) -> None:
        """A mistake of ours is a plain 500 that says nothing; it is in the log."""
        self.portal.desk.failing = ZeroDivisionError("secret detail of /usr/lib")
        targets = ["/", "/sessions", "/handoff?sandbox=" + SANDBOX, "/sign-in/callback", "/.gate/enter?code=x", "/.gate/bye"]
        for target in targets:
            answer = self.portal.ask(target, who=ALICE, sandbox=SANDBOX)
            self.assertEqual((answer.status, answer.body), (500, b"Something went wrong on our side.\n"), target)
            self.assertEqual(answer.value(b"cache-control"), b"no-store")
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), len(targets))

    def test_left(self) -> None:
        """Who leaves before the answer is there takes the question along: nothing goes on for nobody, and nothing is in the log."""
        given_up: list[object] = []
        self.portal.desk.waiting = Deferred(given_up.append)
        ours = self.portal.begin("/sessions", who=ALICE)
        self.assertEqual((ours.received, given_up), (b"", []))
        self.portal.leave(ours)
        self.assertEqual((ours.received, len(given_up)), (b"", 1))
        self.assertEqual(self.flushLoggedErrors(), [])

    def test_mistake_of_the_issuer(self) -> None:
        """Neither does one of the built-in issuer."""

        def fails(*_: object) -> None:
            raise ZeroDivisionError("secret detail")

        self.portal = Portal(local=fails)  # type: ignore[arg-type]  # it never answers
        answer = self.portal.ask("/local-issuer/authorize")
        self.assertEqual(answer.status, 500)
        for word in (b"secret", b"ZeroDivision", b"Traceback", b"twisted", b".py"):
            self.assertNotIn(word, answer.body)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)


class LocalIssuerTests(SynchronousTestCase):
    """The built-in issuer's addresses."""

    def test_there(self) -> None:
        """Where it is configured it answers whole requests, its content bounded."""
        answer = Portal(local=respond_teapot).ask("/local-issuer/token?a=b", "POST", FORM, body=b"x" * 20000)
        self.assertEqual((answer.status, answer.value(b"x-asked")), (418, b"POST /local-issuer/token?a=b"))
        self.assertEqual(len(answer.body), 16 * 1024)

    def test_not_there(self) -> None:
        """Where it is not, there is nothing."""
        self.assertEqual(Portal().ask("/local-issuer/authorize").status, 404)
        self.assertEqual(Portal(local=respond_teapot).ask("/local-issuerx").status, 404)
