"""What is changed in the document of OpenClaw's UI."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from coral_gate.channels.openclaw_document import SCRIPT, NotTheDocument, connecting_to, with_script

START = b'<!doctype html>\n<html data-build="1" lang="en">\n  <head>'
REST = b'\n <meta charset="UTF-8" />\n<script>var a = "<head>";</script></head><body></body></html>'


class ScriptTests(SynchronousTestCase):
    """One script more."""

    def test_first(self) -> None:
        """It is the first element of the head, and no other byte differs."""
        self.assertEqual(with_script(START + REST), START + SCRIPT + REST)

    def test_not_the_document(self) -> None:
        """What begins otherwise, or has the script already, is not changed: it is refused."""
        for document in (b"", b"<html>", b"<p>" + START + REST, START.replace(b"<head>", b"<header>") + REST, with_script(START + REST),
                         b"<!-- <head> -->" + START + REST, START.replace(b"<head>", b"<body><head>")):  # fmt: skip
            self.assertRaises(NotTheDocument, with_script, document)

    @given(st.binary())
    def test_only_inserts(self, rest: bytes) -> None:
        """Taken out again, it leaves what was there."""
        if b"/.gate/tickets.js" not in rest:
            self.assertEqual(with_script(START + rest).replace(SCRIPT, b"", 1), START + rest)


class PolicyTests(SynchronousTestCase):
    """Whom the UI's pages may talk to."""

    def test_connect_src(self) -> None:
        """That directive is replaced, or added; script hashes and the rest stay in their order."""
        self.assertEqual(
            connecting_to(
                b"default-src 'self'; script-src 'self' 'sha256-a+/='; connect-src 'self' ws: wss:; base-uri 'none'",
                b"'self' wss://x data:",
            ),
            b"default-src 'self'; script-src 'self' 'sha256-a+/='; connect-src 'self' wss://x data:; base-uri 'none'",
        )
        self.assertEqual(connecting_to(b"script-src 'self';", b"'self'"), b"script-src 'self'; connect-src 'self'")

    def test_strict(self) -> None:
        """Two policies, a directive twice, none at all, or none for scripts is not the UI's."""
        for policy in (b"", b";", b"default-src 'self'", b"script-src 'self', script-src *", b"script-src 'self'; script-src *",
                       b"script-src 'self'; SCRIPT-SRC *", b"script-src\x00", b"script-src 'self'; =", b"script-src \xff"):  # fmt: skip
            self.assertRaises(NotTheDocument, connecting_to, policy, b"'self'")
