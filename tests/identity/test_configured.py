"""Signing in as a configuration says it."""

from __future__ import annotations

import hashlib
import io
import sys
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

from twisted.internet.defer import Deferred
from twisted.internet.testing import MemoryReactorClock
from twisted.trial.unittest import SynchronousTestCase

from coral_gate.config import parse
from coral_gate.config.sections import sign_in
from coral_gate.errors import ConfigError
from coral_gate.gate import entrance, routes
from coral_gate.identity.configured import CALLBACK, SigningIn, SignInNotConfigured, signing_in
from coral_gate.identity.keys import ALGORITHMS
from coral_gate.identity.settings import ClientAuthentication
from tests import ROOT
from tests.config.texts import INSIDE, LEAST, told

GOOGLE = """\
[sign_in]
issuer = "https://accounts.google.com"
client_id = "1234-abc.apps.googleusercontent.com"
"""
SECRET = 'client_secret = "file:client-secret"\n'
HD = 'allow_hd = ["Example.com"]\n'
BROWSER = hashlib.sha256(b"cookie").digest()


class SectionTests(SynchronousTestCase):
    """`[sign_in]`: each mistake is said, with what to do."""

    def test_sound(self) -> None:
        """Google, with an organisation; the built-in issuer; nothing at all."""
        said = parse(LEAST + GOOGLE + SECRET + HD, "gate.toml").sign_in
        self.assertEqual((said.issuer, said.allow_hd, said.algorithms), ("https://accounts.google.com", ("example.com",), ("RS256",)))
        self.assertTrue(parse(INSIDE + "[sign_in]\nbuilt_in = true\n", "gate.toml").sign_in.built_in)
        self.assertIsNone(parse(LEAST, "gate.toml").sign_in.issuer)

    def test_nobody(self) -> None:
        """An issuer without a list lets nobody in, and that is a mistake."""
        (problem,) = told(LEAST + GOOGLE + SECRET)
        self.assertIn("sign_in.allow_email: Nobody may sign in. List people in", problem)
        (problem,) = told(LEAST + GOOGLE + SECRET + "allow_email = []\n")
        self.assertIn("Nobody may sign in.", problem)

    def test_client(self) -> None:
        """Who we are, and what proves it."""
        for text, words in (
            ('[sign_in]\nissuer = "https://id.example"\n' + SECRET + HD, "sign_in.client_id: An issuer needs it"),
            (GOOGLE + HD, "sign_in.client_secret: The gate cannot prove"),
            (GOOGLE + HD + SECRET + 'client_authentication = "none"\n', "sign_in.client_secret: It is not used"),
            ('[sign_in]\nclient_id = "x"\n', "sign_in.client_id: There is no issuer"),
            ("[sign_in]\n" + SECRET, "sign_in.client_secret: There is no issuer"),
            ("[sign_in]\n" + HD, "sign_in.allow_hd: There is no issuer"),
        ):
            (problem,) = told(LEAST + text)
            self.assertIn(words, problem)
        self.assertEqual(told(LEAST + GOOGLE + HD + 'client_authentication = "none"\n'), [])

    def test_secret_is_not_in_the_file(self) -> None:
        """A secret in place of its whereabouts is refused and not shown."""
        (problem,) = told(LEAST + GOOGLE + HD + 'client_secret = "GOCSPX-hush"\n')
        self.assertNotIn("hush", problem)

    def test_entries(self) -> None:
        """Patterns, algorithms that are none, and missing scopes."""
        for text in (
            'allow_hd = ["*.example.com"]',
            'allow_hd = ["@example.com"]',
            'allow_email = ["*@example.com"]',
            'allow_email = ["a@b@example.com"]',
            'allow_subject = [""]',
            'allow_subject = ["1"]\nalgorithms = ["HS256"]',
            'allow_subject = ["1"]\nalgorithms = ["none"]',
            'allow_subject = ["1"]\nalgorithms = []',
            'allow_subject = ["1"]\nscopes = ["openid"]',
            'allow_subject = ["1"]\nscopes = ["openid", "email", "offline_access"]',
        ):
            self.assertEqual(len(told(LEAST + GOOGLE + SECRET + text + "\n")), 1, text)

    def test_issuers(self) -> None:
        """https, or this machine."""
        for issuer in ("http://id.example", "https://id.example?x", "https://u:p@id.example", "https://10.0.0.1"):
            (problem,) = told(LEAST + GOOGLE.replace("https://accounts.google.com", issuer) + SECRET + HD)
            self.assertIn("sign_in.issuer: ", problem)
        self.assertEqual(told(LEAST + GOOGLE.replace("https://accounts.google.com", "http://127.0.0.1:3000") + SECRET + HD), [])

    def test_built_in(self) -> None:
        """Only on loopback, only below .localhost, only without another issuer."""
        built_in = "[sign_in]\nbuilt_in = true\n"
        outside = LEAST.replace("gate.example", "gate.localhost").replace("sandboxes.example.net", "sbx.localhost")
        (problem,) = told(outside + built_in)
        self.assertIn("sign_in.built_in: The built-in issuer is for trying out and a listener", problem)
        (problem,) = told(INSIDE.replace("gate.localhost", "gate.example") + built_in)
        self.assertIn("sign_in.built_in: The built-in issuer is for trying out and the portal's name", problem)
        (problem,) = told(INSIDE + GOOGLE + SECRET + HD + "built_in = true\n")
        self.assertIn("sign_in.built_in: There is an issuer already.", problem)

    def test_words_are_the_clients(self) -> None:
        """What the section takes is what the client knows."""
        self.assertEqual(set(sign_in.ALGORITHMS), ALGORITHMS)
        self.assertEqual(list(sign_in.AUTHENTICATIONS), [how.value for how in ClientAuthentication])


class WiringTests(SynchronousTestCase):
    """`signing_in`."""

    def built(self, text: str, folder: Path | None = None, announce: Any = None) -> SigningIn:
        name = "gate.toml" if folder is None else str(folder / "gate.toml")
        return signing_in(parse(text, name), MemoryReactorClock(), announce)

    def test_nothing(self) -> None:
        """Without an issuer nobody can sign in, and a person is told that."""
        provider = self.built(LEAST).provider
        failure = self.failureResultOf(Deferred.fromCoroutine(provider.begin("https://gate.example/x", BROWSER)), SignInNotConfigured)
        self.assertEqual(failure.value.status, 503)

    def test_google(self) -> None:
        """The secret is read at start; the button says who it is."""
        folder = Path(self.mktemp())
        folder.mkdir()
        self.assertRaises(ConfigError, self.built, LEAST + GOOGLE + SECRET + HD, folder)
        secret = folder / "client-secret"
        secret.write_text("hush\n")
        secret.chmod(0o600)
        self.assertEqual(self.built(LEAST + GOOGLE + SECRET + HD, folder).issuer_name, "Google")
        named = self.built(LEAST + GOOGLE + SECRET + HD + 'issuer_name = "Example Ltd"\n', folder)
        self.assertEqual((named.issuer_name, named.local), ("Example Ltd", None))
        self.assertNotIn("hush", repr(named))

    def test_built_in(self) -> None:
        """A whole sign-in with the built-in issuer, as the gate does it; the next word is announced."""
        words: list[str] = []
        users = '[sign_in]\nbuilt_in = true\ntry_out_users = ["ann", "bob"]\n'
        built = self.built(INSIDE + users, announce=words.append)
        portal = "https://gate.localhost:8443"
        start = self.successResultOf(Deferred.fromCoroutine(built.provider.begin(portal + CALLBACK, BROWSER)))
        parts = urlsplit(start.url)
        assert built.local is not None
        form = urlencode({"user": "bob", "word": words[0]}).encode()
        answer = built.local.respond(b"POST", f"{parts.path}?{parts.query}".encode(), [(b"Origin", portal.encode())], form)
        query = urlsplit(dict(answer.fields)[b"Location"]).query
        identity = self.successResultOf(Deferred.fromCoroutine(built.provider.finish(start.attempt, query, BROWSER)))
        self.assertEqual((identity.user.sub, identity.name, identity.email), ("bob", "Bob", "bob@gate.localhost"))
        self.assertEqual(len(words), 2)

    def test_addresses_are_the_gates(self) -> None:
        """The callback is where the gate expects browsers, the issuer where the gate serves it, and its style is there."""
        self.assertEqual(CALLBACK, entrance.CALLBACK)
        built = self.built(INSIDE + "[sign_in]\nbuilt_in = true\n", announce=lambda word: None)
        assert built.local is not None
        self.assertEqual(urlsplit(built.local.issuer).path.encode() + b"/", routes.LOCAL_ISSUER.path)
        self.assertTrue((ROOT / "coral_gate" / "portal" / "static" / "portal.css").is_file())

    def test_word_on_the_terminal(self) -> None:
        """By default the word goes to the process's own output, whatever stands in its place as sys.stdout."""
        terminal = io.StringIO()
        self.patch(sys, "__stdout__", terminal)
        self.built(INSIDE + "[sign_in]\nbuilt_in = true\n")
        self.assertRegex(terminal.getvalue(), r"\ATo sign in, type this one-time word: [a-z]{5}(-[a-z]{5}){3}\n\Z")
