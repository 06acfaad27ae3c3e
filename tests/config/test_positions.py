"""The scanner finds the line of every key, and agrees with tomllib on what the keys are."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from coral_gate.config.positions import MOST_LEVELS, KeyPath, Repeat, TooDeep, scan
from tests import ROOT
from tests.config.documents import Document, documents, values

EXAMPLE = (ROOT / "etc" / "coral-gate.toml").read_text()


def paths(found: object, path: KeyPath = ()) -> Iterator[KeyPath]:
    """Every key and array item that tomllib found."""
    if path:
        yield path
    below = found.items() if isinstance(found, dict) else enumerate(found) if isinstance(found, list) else ()
    for key, value in below:
        yield from paths(value, (*path, key))


class ScanTests(SynchronousTestCase):
    """What is found, and on which line."""

    @given(documents())
    def test_agrees_with_tomllib(self, document: Document) -> None:
        """The keys and array items found are those that tomllib finds."""
        positions = scan(document.text)
        self.assertEqual(set(positions.lines), set(paths(tomllib.loads(document.text))))
        self.assertEqual(positions.repeats, ())

    @given(documents())
    def test_lines(self, document: Document) -> None:
        """Each key's line is the line on which it was written."""
        found = scan(document.text).lines
        self.assertEqual({path: found[path] for path in document.lines}, document.lines)

    @given(values(), st.integers(0, 3))
    def test_after_a_value(self, value: str, blank: int) -> None:
        """What follows any value is found on its own line, after however many lines the value has."""
        text = "\n" * blank + f"a = {value}\nb = 1\n"
        self.assertEqual(scan(text).lines[("b",)], text.replace("\r\n", "\n").count("\n"))

    def test_inside_values(self) -> None:
        """Items of arrays and keys of inline tables have their own lines; a value's line is that of its key."""
        text = 'a = [ # [\n  1,\n  { b = """\n""", c = 2 },\n]\n"d.e".f = 3\n'
        expected: dict[KeyPath, int] = {
            ("a",): 1,
            ("a", 0): 2,
            ("a", 1): 3,
            ("a", 1, "b"): 3,
            ("a", 1, "c"): 4,
            ("d.e",): 6,
            ("d.e", "f"): 6,
        }
        self.assertEqual(scan(text).lines, expected)

    def test_missing_key(self) -> None:
        """A key that is not there is on the line of the nearest table around it, if there is one."""
        positions = scan("\n[[a]]\n[[a]]\nb = 1\n")
        self.assertEqual(positions.line(("a", 1, "c", "d")), 3)
        self.assertEqual(positions.line(("a", 1, "b")), 4)
        self.assertIsNone(positions.line(("x", "y")))

    def test_repeats(self) -> None:
        """A key or table that is there twice is found with both lines, also on one line."""
        self.assertEqual(scan("[a]\nb = 1\n\nb = 2\n[a]\nc = 1").repeats, (Repeat(("a", "b"), 4, 2), Repeat(("a",), 5, 1)))
        self.assertEqual(scan("a = { b = 1, b = 2 }").repeats, (Repeat(("a", "b"), 1, 1),))
        self.assertEqual(scan("[[a]]\nb = 1\n[[a]]\nb = 2\n").repeats, ())

    @given(st.text(alphabet="ab[]{}#=,.\"'\\ \n\r\t1\0é", max_size=40))
    def test_any_text(self, text: str) -> None:
        """Nothing escapes but TooDeep, and where tomllib takes the text, the keys are the same."""
        positions = scan(text)
        try:
            found = tomllib.loads(text)
        except ValueError:
            return
        self.assertEqual(set(positions.lines), set(paths(found)))

    @given(st.integers(0, len(EXAMPLE)))
    def test_cut(self, end: int) -> None:
        """A file that is cut off anywhere has the lines that the whole file has."""
        whole = scan(EXAMPLE).lines
        part = scan(EXAMPLE[:end]).lines
        known = {path: line for path, line in part.items() if path in whole}
        self.assertEqual(known, {path: whole[path] for path in known})
        self.assertLessEqual(len(part) - len(known), 1)

    def test_too_deep(self) -> None:
        """Nesting of every sort has an end, long before Python's stack does."""
        for text in ("a = " + "[" * 10**5, "\na = " + "{a=" * 10**5, ".".join("a" * 10**5) + " = 1", "[" + ".".join("a" * 10**5) + "]"):
            error = self.assertRaises(TooDeep, scan, text)
            self.assertEqual(error.line, 2 if text.startswith("\n") else 1)

    def test_deep_enough(self) -> None:
        """What is nested just as deep as allowed is found."""
        text = "a = " + "[" * (MOST_LEVELS - 1) + "]" * (MOST_LEVELS - 1)
        self.assertEqual(len(scan(text).lines), MOST_LEVELS - 1)
