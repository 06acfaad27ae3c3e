"""The built-in issuer by itself: where it runs, whom it lets in, and what it refuses."""

from __future__ import annotations

import base64
import hashlib
import json
from html.parser import HTMLParser
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from coral_gate.identity.local import LocalIssuer, local_issuer
from coral_gate.identity.local_page import LocalUser, sign_in_page
from coral_gate.model import HTTPAnswer
from tests import ROOT
from tests.identity.local_rig import CLIENT, ISSUER, ORIGIN, REDIRECT, USERS
from tests.identity.wall_clock import WallClock
from tests.imports import read_package

VERIFIER = "v" * 43
CHALLENGE = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).decode().rstrip("=")
ASKED = {
    "response_type": "code",
    "client_id": CLIENT,
    "redirect_uri": REDIRECT,
    "scope": "openid email",
    "state": "s" * 43,
    "nonce": "n" * 43,
    "code_challenge": CHALLENGE,
    "code_challenge_method": "S256",
}
GOOD: dict[str, Any] = {
    "issuer": ISSUER,
    "redirect_uri": REDIRECT,
    "client_id": CLIENT,
    "interfaces": ["127.0.0.1"],
    "users": USERS,
}


class _Tags(HTMLParser):
    """Every tag of a page with its attributes."""

    def __init__(self, page: bytes) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(page.decode())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))


class _Issuing(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = WallClock()
        self.words: list[str] = []
        self.issuer: LocalIssuer = local_issuer(**GOOD, announce=self.words.append, now=self.clock)

    def ask(self, method: str, path: str, body: bytes = b"", *fields: tuple[bytes, bytes]) -> HTTPAnswer:
        return self.issuer.respond(method.encode(), f"/local-issuer{path}".encode(), fields, body)

    def authorize(self, method: str = "POST", word: str = "", **changes: str | None) -> HTTPAnswer:
        asked = {name: value for name, value in {**ASKED, **changes}.items() if value is not None}
        form = urlencode({"user": "alice", "word": word}).encode()
        return self.ask(method, "/authorize?" + urlencode(asked), form, (b"Origin", ORIGIN.encode()))

    def code(self) -> str:
        answer = self.authorize(word=self.words[-1])
        self.assertEqual(answer.status, 303)
        location = urlsplit(dict(answer.fields)[b"Location"].decode())
        self.assertEqual(f"{location.scheme}://{location.netloc}{location.path}", REDIRECT)
        named = {name: values[0] for name, values in parse_qs(location.query).items()}
        self.assertEqual((named["state"], named["iss"]), ("s" * 43, ISSUER))
        return named["code"]

    def redeem(self, code: str, **changes: str) -> HTTPAnswer:
        form = {"grant_type": "authorization_code", "client_id": CLIENT, "code": code, "redirect_uri": REDIRECT}
        return self.ask("POST", "/token", urlencode({**form, "code_verifier": VERIFIER, **changes}).encode())


class BoundsTests(SynchronousTestCase):
    """Where it may run."""

    def refuses(self, **changes: object) -> None:
        self.assertRaises(ValueError, local_issuer, **{**GOOD, **changes}, announce=self.fail)

    def test_listeners(self) -> None:
        """Every listener is on loopback, or there is no issuer and no word."""
        for wrong in (
            [],
            [""],
            ["0.0.0.0"],
            ["::"],
            ["192.168.1.5"],
            ["127.0.0.1", "10.0.0.1"],
            ["::ffff:127.0.0.1"],
            ["localhost"],
            ["127.1"],
        ):
            self.refuses(interfaces=wrong)
        for right in (["127.0.0.1"], ["::1"], ["127.0.0.9", "::1"]):
            local_issuer(**{**GOOD, "interfaces": right}, announce=lambda word: None)

    def test_names(self) -> None:
        """Every name is below .localhost."""
        for wrong in (
            "https://gate.example/x",
            "https://localhost/x",
            "https://.localhost/x",
            "https://gate.localhost.example/x",
            "https://gatelocalhost/x",
            "https://127.0.0.1/x",
            "https://gate.localhost@gate.example/x",
            "https://u@gate.localhost/x",
            "https://gate.localhost/x?y",
            "https://gate.localhost/x#y",
            "ftp://gate.localhost/x",
            "gate.localhost",
        ):
            self.refuses(issuer=wrong)
            self.refuses(redirect_uri=wrong)

    def test_users(self) -> None:
        """There are some, and no two are one."""
        self.refuses(users=[])
        self.refuses(users=[USERS[0], LocalUser("alice", "Another", "x@gate.localhost")])


class AuthorizeTests(_Issuing):
    """Who is let in."""

    def test_page(self) -> None:
        """A form without script, without anything inline, with a label for each field; nothing loads from anywhere."""
        answer = self.authorize("GET")
        fields = dict(answer.fields)
        self.assertEqual((answer.status, fields[b"Content-Type"]), (200, b"text/html; charset=utf-8"))
        policy = fields[b"Content-Security-Policy"].decode()
        self.assertIn("default-src 'none'", policy)
        self.assertIn("frame-ancestors 'none'", policy)
        self.assertNotIn("unsafe", policy)
        self.assertEqual((fields[b"Cache-Control"], fields[b"X-Content-Type-Options"]), (b"no-store", b"nosniff"))
        tags = _Tags(answer.body).found
        self.assertFalse({"script", "style", "iframe", "object", "img"} & {tag for tag, _ in tags})
        self.assertFalse([name for _, attributes in tags for name in attributes if name.startswith("on") or name == "style"])
        labelled = {attributes["for"] for tag, attributes in tags if tag == "label"}
        shown = {attributes["id"] for tag, attributes in tags if tag == "input" and attributes["type"] != "hidden"}
        self.assertEqual(labelled, shown)
        self.assertIn(("html", {"lang": "en"}), tags)

    def test_page_echoes_nothing(self) -> None:
        """Nothing of a request is in the page, and what is configured is escaped."""
        answer = self.authorize("GET", scope="openid <script>")
        self.assertNotIn(b"<script", answer.body)
        page = sign_in_page([LocalUser("a", "<b>", "x"), LocalUser('"', "y", "x")], "<i>", '">')
        self.assertFalse({"b", "i"} & {tag for tag, _ in _Tags(page).found})

    def test_word(self) -> None:
        """The word that was announced lets in once; then another one is announced."""
        self.assertEqual(len(self.words), 1)
        first = self.words[0]
        self.code()
        self.assertEqual(len(set(self.words)), 2)
        self.assertEqual(self.authorize(word=first).status, 403)
        self.assertEqual(self.authorize(word=self.words[-1]).status, 303)

    def test_word_as_people_type(self) -> None:
        """In capitals, with blanks for hyphens."""
        self.assertEqual(self.authorize(word=f"  {self.words[0].upper().replace('-', ' ')} ").status, 303)

    def test_wrong_words(self) -> None:
        """Anything else does not; the word is still good afterwards."""
        for wrong in ("", "x", self.words[0][:-1], "é" * 30):
            answer = self.authorize(word=wrong)
            self.assertEqual(answer.status, 403)
            self.assertIn(b'role="alert"', answer.body)
        self.assertEqual(self.authorize(word=self.words[0]).status, 303)

    def test_tries(self) -> None:
        """Five a minute; more are not even looked at."""
        for _ in range(5):
            self.assertEqual(self.authorize(word="wrong").status, 403)
        self.assertEqual(self.authorize(word=self.words[0]).status, 429)
        self.clock.advance(59)
        self.assertEqual(self.authorize(word=self.words[0]).status, 429)
        self.clock.advance(1)
        self.assertEqual(self.authorize(word=self.words[0]).status, 303)

    def test_other_users(self) -> None:
        """Somebody whom nobody knows is not let in, the right word or not; it is not spent on them."""
        asked = "/authorize?" + urlencode(ASKED)
        form = urlencode({"user": "root", "word": self.words[0]}).encode()
        self.assertEqual(self.ask("POST", asked, form).status, 400)
        self.assertEqual(len(self.words), 1)

    def test_other_origins(self) -> None:
        """A form that another page sends."""
        asked = "/authorize?" + urlencode(ASKED)
        form = urlencode({"user": "alice", "word": self.words[0]}).encode()
        for origin in (b"https://evil.example", b"null", b"https://gate.localhost", b""):
            self.assertEqual(self.ask("POST", asked, form, (b"Origin", origin)).status, 403)
        both = ((b"Origin", ORIGIN.encode()), (b"origin", b"https://evil.example"))
        self.assertEqual(self.ask("POST", asked, form, *both).status, 403)

    def test_requests(self) -> None:
        """Only the one client, its one redirect address, a code with S256, a state and a nonce; others go back to nobody."""
        wrong: list[dict[str, str | None]] = [
            {"client_id": "x"},
            {"redirect_uri": REDIRECT + "/"},
            {"redirect_uri": "https://evil.example/"},
            {"redirect_uri": None},
            {"response_type": "token"},
            {"response_type": "code id_token"},
            {"response_mode": "fragment"},
            {"scope": "email"},
            {"state": None},
            {"state": "short"},
            {"state": "s" * 43 + "\r\n"},
            {"nonce": None},
            {"code_challenge": None},
            {"code_challenge": VERIFIER + "="},
            {"code_challenge_method": "plain"},
            {"code_challenge_method": None},
        ]
        for changes in wrong:
            for method in ("GET", "POST"):
                answer = self.authorize(method, word=self.words[0], **changes)
                self.assertEqual(answer.status, 400, changes)
                self.assertNotIn(b"Location", dict(answer.fields))
        self.assertEqual(self.ask("GET", "/authorize?" + urlencode(ASKED) + "&state=x").status, 400)
        self.assertEqual(self.ask("GET", "/authorize?" + urlencode(ASKED) + "&x=y&x=y").status, 400)

    def test_silent(self) -> None:
        """Nobody is signed in without being asked."""
        location = dict(self.authorize("GET", prompt="none").fields)[b"Location"]
        self.assertIn(b"error=login_required", location)
        self.assertNotIn(b"code=", location)


class TokenTests(_Issuing):
    """What a code is good for."""

    def test_once(self) -> None:
        """One set of tokens."""
        code = self.code()
        self.assertEqual(self.redeem(code).status, 200)
        self.assertEqual(json.loads(self.redeem(code).body), {"error": "invalid_grant"})

    def test_a_minute(self) -> None:
        """Within a minute."""
        early, late = self.code(), self.code()
        self.clock.advance(59)
        self.assertEqual(self.redeem(early).status, 200)
        self.clock.advance(1)
        self.assertEqual(self.redeem(late).status, 400)

    def test_wrong(self) -> None:
        """With the right verifier, for the right address, of the right client; a wrong try spends it."""
        for changes in ({"code_verifier": "w" * 43}, {"code_verifier": ""}, {"redirect_uri": REDIRECT + "/"}):
            self.clock.advance(61)
            code = self.code()
            self.assertEqual(json.loads(self.redeem(code, **changes).body), {"error": "invalid_grant"})
            self.assertEqual(self.redeem(code).status, 400)
        self.assertEqual(json.loads(self.redeem(self.code(), client_id="x").body), {"error": "invalid_client"})

    def test_bounded(self) -> None:
        """Codes that nobody redeems do not pile up."""
        for _ in range(100):
            self.clock.advance(13)
            self.code()
        self.assertEqual(len(self.issuer._grants._kept), 64)


class RespondTests(_Issuing):
    """What it answers at all."""

    def test_proxies(self) -> None:
        """Whoever comes through a proxy is sent away, whichever of the fields tells."""
        for name in (
            b"Forwarded",
            b"X-Forwarded-For",
            b"x-forwarded-proto",
            b"X_Forwarded_Host",
            b"X-Forwarded-Anything",
            b"Via",
            b"VIA",
            b"X-Real-IP",
            b"x_real_ip",
            b"CF-Connecting-IP",
            b"True-Client-IP",
        ):
            for path in ("/.well-known/openid-configuration", "/authorize?" + urlencode(ASKED), "/jwks", "/token"):
                self.assertEqual(self.ask("GET", path, b"", (name, b"")).status, 403, name)

    def test_routes(self) -> None:
        """Nothing else is there, and what is there takes only its methods."""
        for path in ("", "/", "/authorize/", "/../token", "/TOKEN", "/.well-known/", "x/jwks"):
            self.assertEqual(self.ask("GET", path).status, 404)
        self.assertEqual(self.issuer.respond(b"GET", b"/jwks", [], b"").status, 404)
        for method, path in (("POST", "/jwks"), ("GET", "/token"), ("PUT", "/authorize"), ("HEAD", "/.well-known/openid-configuration")):
            answer = self.ask(method, path)
            self.assertEqual(answer.status, 405)
            self.assertIn(b"Allow", dict(answer.fields))

    def test_keys(self) -> None:
        """The published key has no private half, and each issuer has its own."""
        (key,) = json.loads(self.ask("GET", "/jwks").body)["keys"]
        self.assertEqual(set(key), {"kty", "crv", "x", "y", "kid", "use", "alg"})
        other = local_issuer(**GOOD, announce=lambda word: None)
        self.assertNotEqual(key["kid"], json.loads(other.respond(b"GET", b"/local-issuer/jwks", [], b"").body)["keys"][0]["kid"])

    def test_lengths(self) -> None:
        """Every answer says its length rightly."""
        for answer in (self.ask("GET", "/jwks"), self.ask("GET", "/x"), self.authorize("GET"), self.authorize(word=self.words[0])):
            self.assertEqual(dict(answer.fields)[b"Content-Length"], b"%d" % len(answer.body))

    def test_shows_nothing(self) -> None:
        """Neither the word, nor a code, nor the key is in the repr."""
        word = self.words[0]
        code = self.code()
        for secret in (word, code, self.words[-1]):
            self.assertNotIn(secret, repr(self.issuer))

    @given(
        st.sampled_from([b"GET", b"POST"]),
        st.binary(max_size=60),
        st.binary(max_size=60),
        st.sampled_from([b"/authorize", b"/token", b"/jwks", b""]),
    )
    def test_nothing_escapes(self, method: bytes, query: bytes, body: bytes, path: bytes) -> None:
        """Any request gets an answer."""
        answer = self.issuer.respond(method, b"/local-issuer" + path + b"?" + query, [(b"Origin", ORIGIN.encode())], body)
        self.assertIn(answer.status, (200, 400, 403, 404, 405))

    @given(
        st.dictionaries(st.sampled_from([*ASKED, "prompt", "response_mode", "x"]), st.text(max_size=50)),
        st.dictionaries(st.text(max_size=6), st.text(max_size=20)),
    )
    def test_nothing_escapes_forms(self, changes: dict[str, str], form: dict[str, str]) -> None:
        """Any parameters get an answer, and nobody is let in by chance."""
        encoded = urlencode(form, errors="replace").encode()
        asked = urlencode({**ASKED, **changes}, errors="replace")
        self.assertIn(self.ask("POST", "/authorize?" + asked, encoded).status, (303, 400, 403, 429))
        self.assertEqual(self.ask("POST", "/token", encoded).status, 400)
        self.assertEqual(len(self.words), 1)


class IndependenceTests(SynchronousTestCase):
    """The issuer and the client share nothing, so that they cannot be wrong together."""

    def test_imports(self) -> None:
        """No module of the one imports a module of the other."""
        room = {name: module for name, module in read_package(ROOT / "coral_gate").items() if name.startswith("identity.")}
        del room["identity.configured"]  # it builds both
        local = {name for name in room if name.startswith("identity.local")}
        self.assertGreater(len(local), 5)
        self.assertGreater(len(room) - len(local), 15)
        for name, module in room.items():
            others = (set(room) - local) if name in local else local
            crossed = [one.names for one in module.imports if any(one.within(f"coral_gate.{other}") for other in others)]
            self.assertEqual(crossed, [], name)
