"""Looking for secrets."""

from __future__ import annotations

import base64
import copy
import html
import json
import pickle
import re
from urllib.parse import quote, quote_plus

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from coral_gate.custody.generate import generate
from coral_gate.custody.leaks import LeakScan
from coral_gate.model import Secret

PLAIN = bytes(generate(lambda length: bytes(range(7, 7 + 2 * length, 2))).reveal())
ODD = 'pä+ss/wörd "quoted" \\ <&\'> ☃ 🐚?'.encode()

secrets = st.binary(min_size=8, max_size=60) | st.text(min_size=8, max_size=40).map(str.encode)
noise = st.binary(max_size=40)


def found(secret: bytes, *chunks: bytes) -> bool:
    scan = LeakScan([Secret(secret)])
    return [scan.feed(chunk) for chunk in chunks][-1]


def forms(secret: bytes, before: bytes = b"", after: bytes = b"") -> list[bytes]:
    """A secret as programs write it, by other code than the scan's."""
    whole = before + secret + after
    written = [secret, secret.hex().encode(), secret.hex().upper().encode()]
    written += [base64.b64encode(whole), base64.urlsafe_b64encode(whole), base64.b64encode(whole).rstrip(b"=")]
    written += [quote(secret, safe="").encode(), quote(secret).encode(), quote_plus(secret).encode()]
    written += [b"".join(b"%%%02X" % byte for byte in secret), b"".join(b"%%%02x" % byte for byte in secret)]
    for quoted in (quote(secret, safe=""), quote_plus(secret)):
        written += [re.sub("%..", lambda escape: escape[0].lower(), quoted).encode()]
    try:
        text = secret.decode()
    except UnicodeDecodeError:
        return written
    written += [json.dumps(text).encode(), json.dumps(text, ensure_ascii=False).encode(), json.dumps(text).replace("/", "\\/").encode()]
    written += [html.escape(text).encode(), html.escape(text, quote=False).encode()]
    if text.isascii():
        written += ["".join(f"\\u{ord(character):04x}" for character in text).encode()]
        written += ["".join(f"\\u{ord(character):04X}" for character in text).encode()]
    return written


class ScanTests(SynchronousTestCase):
    """`LeakScan`."""

    @given(secrets, noise, noise)
    def test_every_form(self, secret: bytes, before: bytes, after: bytes) -> None:
        """A secret is found in every form that programs write it in, whatever stands around it."""
        for written in forms(secret, before, after):
            self.assertTrue(found(secret, before + written + after), written)

    def test_examples(self) -> None:
        """A password of ours and one with every awkward character are found in all their forms."""
        for secret in (PLAIN, ODD):
            for before in (b"", b"x", b"xy", b"xyz"):
                for written in forms(secret, before, b"tail"):
                    self.assertTrue(found(secret, b"<p>" + written + b"</p>"), written)
        self.assertTrue(found(ODD, b"\\ud83d\\udc1a".join([json.dumps(ODD.decode().split("🐚")[0])[1:-1].encode(), b"?"])))

    @given(st.sampled_from([PLAIN, ODD]), st.data())
    def test_any_split(self, secret: bytes, data: st.DataObject) -> None:
        """However a stream is cut into chunks, what is in it is found, and at the same byte."""
        written = data.draw(st.sampled_from(forms(secret, b"\0\1")))
        before = data.draw(noise)
        stream = before + written + data.draw(noise)
        cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=12)))
        pieces = [stream[start:end] for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True)]
        scan, whole, seen = LeakScan([Secret(secret)]), LeakScan([Secret(secret)]), b""
        for piece in pieces:
            seen += piece
            self.assertEqual(scan.feed(memoryview(piece)), LeakScan([Secret(secret)]).feed(seen))
        self.assertTrue(scan.feed(b""))
        self.assertTrue(whole.feed(stream))

    def test_every_seam(self) -> None:
        """A form that lies across two large chunks is found wherever the seam is."""
        around = b"x" * 1000
        for written in forms(PLAIN):
            for seam in range(len(written) + 1):
                self.assertTrue(found(PLAIN, around + written[:seam], written[seam:] + around), (written, seam))

    def test_byte_by_byte(self) -> None:
        """A secret that comes byte by byte is found with its last byte."""
        for written in forms(ODD):
            needle = written.rstrip(b"=")
            if needle.startswith(b'"'):
                needle = needle[1:-1]
            scan = LeakScan([Secret(ODD)])
            answers = [scan.feed(bytes((byte,))) for byte in b"before" * 50 + needle]
            self.assertNotIn(True, answers[:-3])
            self.assertTrue(answers[-1])

    @given(st.lists(st.integers(0, 300), max_size=20))
    def test_bounded(self, sizes: list[int]) -> None:
        """However much was fed, what is kept is shorter than the longest form."""
        scan, fed = LeakScan([Secret(PLAIN)]), b""
        for number, size in enumerate(sizes):
            fed += bytes((number,)) * size
            scan.feed(bytes((number,)) * size)
            self.assertEqual(scan._tail, fed[max(0, len(fed) - 257) :])

    def test_nothing(self) -> None:
        """Where there is no secret, none is found: not half of one, nor one with a byte changed."""
        self.assertFalse(found(PLAIN, PLAIN[:-1], b"x" + PLAIN[1:], PLAIN[:20] + b"-" + PLAIN[20:]))
        self.assertFalse(found(PLAIN, bytes(range(256)) * 400))
        self.assertFalse(LeakScan([]).feed(PLAIN))

    def test_stays_found(self) -> None:
        """Once found, it stays found."""
        self.assertTrue(found(PLAIN, PLAIN, b"", b"x" * 1000))

    def test_several(self) -> None:
        """Any of several secrets is found."""
        for secret in (PLAIN, ODD):
            self.assertTrue(LeakScan([Secret(PLAIN), Secret(ODD)]).feed(b"..." + secret))

    def test_short(self) -> None:
        """A secret too short to be looked for is refused."""
        error = self.assertRaises(ValueError, LeakScan, [Secret(b"planted")])
        self.assertNotIn("planted", str(error))

    def test_not_shown(self) -> None:
        """A scan shows nothing of what it looks for, and cannot be pickled or copied."""
        scan = LeakScan([Secret(PLAIN)])
        self.assertEqual((repr(scan), str(scan)), ("<LeakScan>", "<LeakScan>"))
        for act in (pickle.dumps, copy.copy, copy.deepcopy):
            self.assertRaises(TypeError, act, scan)
