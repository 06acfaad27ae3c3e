"""Whatever the file holds, it is a configuration or a ConfigError that says where and why."""

from __future__ import annotations

import datetime
import os
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest import mock

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from coral_gate.config import Config, load, parse
from coral_gate.config.places import Place, Report
from coral_gate.config.positions import scan
from coral_gate.config.reference import every_key
from coral_gate.config.tables import Table, Tables
from coral_gate.errors import ConfigError
from tests import ROOT
from tests.config.documents import Document, documents
from tests.config.texts import GATE, LEAST, problems, told

EXAMPLE = (ROOT / "etc" / "coral-gate.toml").read_text()
WHOLE = re.sub(r"(?m)^#(?=\S)", "", EXAMPLE)
"""The example with every key set."""

_ODD = ("\n", " ", '"""', "\0", "[[", "]]", "1e999", "0x" + "f" * 5000, "9" * 5000)
_PIECES = sorted({*re.findall(r'[A-Za-z_]+|"[^"\n]*"|\S', WHOLE), *_ODD})


def judged(text: str, name: str = "/etc/coral.toml") -> None:
    """
    Read a text.

    :raises AssertionError: what came of it is neither a configuration nor a ConfigError with sound problems.
    """
    try:
        config = parse(text, name)
    except ConfigError as error:
        assert error.problems
        for problem in error.problems:
            assert problem.where.startswith(name), problem
            said = f"{problem.key}: {problem.what} {problem.hint}"
            assert said.isprintable() and problem.what.endswith("."), problem
            assert len(said) < 3000, problem
        return
    assert isinstance(config, Config)


@st.composite
def mutations(draw: st.DrawFn) -> str:
    """The whole example with a few pieces cut out, doubled, moved or put in."""
    text = WHOLE
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(text)))
        end = min(len(text), start + draw(st.integers(0, 40)))
        put = draw(st.one_of(st.sampled_from(_PIECES), st.just(text[start:end] * 2), st.text(max_size=3)))
        text = text[:start] + put + text[end:]
    return text


class AnyTextTests(SynchronousTestCase):
    """Nothing but ConfigError escapes."""

    @given(st.text())
    def test_any_text(self, text: str) -> None:
        """Any text, lone surrogates included."""
        judged(text)

    @given(mutations())
    def test_mutations(self, text: str) -> None:
        """The example, damaged."""
        judged(text)

    @given(documents())
    def test_other_files(self, document: Document) -> None:
        """A file that is TOML and has nothing to do with us."""
        judged(document.text)

    @given(st.text(), st.text(max_size=30))
    def test_any_name(self, text: str, name: str) -> None:
        """Any name of a file."""
        judged(text, name)

    @given(st.data())
    def test_any_value(self, data: st.DataObject) -> None:
        """Any value of TOML behind any key."""
        tables = tomllib.loads(WHOLE)
        path = data.draw(st.sampled_from(list(leaves(tables))))
        place(tables, path, data.draw(_VALUES))
        with mock.patch("coral_gate.config.read.tomllib.loads", return_value=tables):
            judged(WHOLE)

    def test_numbers_beyond_python(self) -> None:
        """Integers that Python will not write in decimal, and endless numbers, are refused like others."""
        self.assertIn("Found a very large integer; expected", told(f"{LEAST}[limits]\nfields = 0x{'f' * 5000}\n")[0])
        self.assertIn("The file is not TOML", told(f"{LEAST}[limits]\nfields = {'9' * 5000}\n")[0])
        self.assertIn("Found the number inf; expected a whole number.", told(f"{LEAST}[limits]\nfields = inf\n")[0])

    def test_long_arrays(self) -> None:
        """An array of very many items is judged in the time that reading it takes."""
        names = ", ".join(f'"n{number}.example"' for number in range(40_000))
        self.assertEqual(told(f"{LEAST}[links]\nallow = [{names}]\n"), [])


_VALUES: st.SearchStrategy[Any] = st.recursive(
    st.one_of(
        *(st.text(), st.integers(), st.floats(), st.booleans(), st.just(datetime.date(2020, 1, 1)), st.just(datetime.time(1, 2))),
        st.sampled_from(re.findall(r'"([^"\n]*)"', WHOLE)),
    ),
    lambda below: st.one_of(st.lists(below, max_size=3), st.dictionaries(st.text(max_size=5), below, max_size=3)),
    max_leaves=5,
)


def leaves(found: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """Every place of a value, tables included."""
    if path:
        yield path
    below = found.items() if isinstance(found, dict) else enumerate(found) if isinstance(found, list) else ()
    for key, value in below:
        yield from leaves(value, (*path, key))


def place(tables: Any, path: tuple[str | int, ...], value: Any) -> None:
    """Exchange one value."""
    for key in path[:-1]:
        tables = tables[key]
    tables[path[-1]] = value


class EveryKeyTests(SynchronousTestCase):
    """Each key is guarded, and its mistakes are found on its line."""

    def settings(self) -> Iterator[tuple[int, str, str]]:
        """The line, section and key of each setting in the whole example."""
        section = ""
        for number, line in enumerate(WHOLE.split("\n"), 1):
            if header := re.match(r"\[+([a-z_.]+)\]", line):
                section = header[1]
            if setting := re.match(r"([a-z_0-9]+) = ", line):
                yield number, section, setting[1]

    def with_line(self, number: int, text: str) -> list[tuple[str, str]]:
        """Where and at which key there are problems once a line is exchanged."""
        lines = WHOLE.split("\n")
        lines[number - 1] = text
        return [(problem.where, problem.key) for problem in problems("\n".join(lines), "x")]

    def test_wrong_type(self) -> None:
        """A value of a type that no key has is said at its key and line, and nothing else is said."""
        for number, section, key in self.settings():
            [(where, dotted)] = self.with_line(number, f"{key} = 1979-05-27")
            self.assertEqual((where, re.sub(r"\[\d\]", "", dotted)), (f"x:{number}", f"{section}.{key}"))

    def test_unknown_key(self) -> None:
        """A letter too much makes an unknown key; it is said on its line with the key that was meant."""
        for number, section, key in self.settings():
            lines = WHOLE.split("\n")
            lines[number - 1] = lines[number - 1].replace(key, f"{key}x", 1)
            [problem] = [one for one in problems("\n".join(lines), "x") if "no such key" in one.what]
            self.assertEqual(problem.where, f"x:{number}")
            self.assertIn(f'Did you mean "{key}"?', problem.hint, section)

    def test_missing_key(self) -> None:
        """A key that is required and not there is said at the line of its table; any other may be left out."""
        required = {name for name, definition in every_key(Config) if definition.required}
        for number, section, key in self.settings():
            found = self.with_line(number, "")
            if f"{section}.{key}" in required:
                [(where, dotted)] = found
                self.assertEqual(re.sub(r"\[\d\]", "", dotted), f"{section}.{key}")
                self.assertLess(int(where.partition(":")[2]), number)
            else:
                self.assertEqual(found, [])

    def test_every_mistake_at_once(self) -> None:
        """A file in which every setting is wrong has as many problems as settings, in order."""
        lines = WHOLE.split("\n")
        settings = list(self.settings())
        for number, _, key in settings:
            lines[number - 1] = f"{key} = 1979-05-27"
        found = [problem.where for problem in problems("\n".join(lines), "x")]
        self.assertEqual(found, [f"x:{number}" for number, _, _ in settings])


class SyntaxTests(SynchronousTestCase):
    """What is not TOML is said with its line."""

    def test_line(self) -> None:
        """tomllib's own sentence is shown at the line it means, or at the end of the file."""
        self.assertEqual(told("[gate]\na = \n"), ["coral.toml:2: The file is not TOML: Invalid value."])
        self.assertEqual(told('[gate]\na = "'), ["coral.toml: The file is not TOML: Unterminated string at the end of the file."])

    def test_twice(self) -> None:
        """Every key and table that is there twice is said, each with the line of the first."""
        self.assertEqual(
            told('[log]\nlevel = "info"\nlevel = "warn"\n[gate]\n[log]\n'),
            [
                "coral.toml:3: log.level: This is here a second time; the first is on line 2.",
                "coral.toml:5: log: This is here a second time; the first is on line 1.",
            ],
        )

    def test_too_deep(self) -> None:
        """Nesting that would exhaust Python's stack is refused before."""
        for text in ("[" * 9000, "a = " + "[" * 900_000, "a" + ".a" * 400_000 + " = 1", "a = " + "{a=" * 300_000):
            [line] = told(text)
            self.assertIn("coral.toml", line)

    def test_values_are_not_echoed(self) -> None:
        """An unknown key's value is not shown: it may be a secret."""
        for value in ('"hunter2"', '["hunter2"]', '{ hunter3 = "hunter2" }'):
            self.assertNotIn("hunter2", "".join(told(f"{GATE}pasword = {value}\n")))
        self.assertNotIn("hunter2", "".join(told(LEAST.replace("https://gate", "https://me:hunter2@gate"))))

    def test_nothing_for_a_terminal(self) -> None:
        """Control characters of the file reach no terminal."""
        for line in told(f'{LEAST}[log]\nlevel = "\\u001b[2J"\n"\\u001b]0;x\\u0007" = 1\n'):
            self.assertTrue(line.isprintable())


class FileTests(SynchronousTestCase):
    """Files that cannot be read are a ConfigError each."""

    def refused(self, path: Path) -> str:
        """Why a file cannot be read."""
        error = self.assertRaises(ConfigError, load, path)
        [problem] = error.problems
        self.assertTrue(problem.where.startswith(str(path)))
        return str(problem).removeprefix(str(path))

    def file(self, contents: bytes) -> Path:
        """A file."""
        path = Path(self.mktemp())
        path.write_bytes(contents)
        return path

    def test_read(self) -> None:
        """A file is read, and relative paths are taken from its folder however it was named."""
        path = self.file(LEAST.encode())
        self.assertEqual(load(path).tls.certificates[0].key, path.absolute().parent / "key.pem")

    def test_missing(self) -> None:
        """No such file."""
        self.assertEqual(self.refused(Path(self.mktemp())), ": The file cannot be read: no such file or directory.")

    def test_no_file(self) -> None:
        """A folder, a device and a named pipe are no files; a pipe is not waited for."""
        folder = Path(self.mktemp())
        folder.mkdir()
        pipe = folder / "pipe"
        os.mkfifo(pipe)
        for path in (folder, Path("/dev/zero"), pipe):
            self.assertEqual(self.refused(path), ": This is not a regular file.")

    def test_path_that_is_none(self) -> None:
        """A NUL in the path, an overlong path."""
        self.assertIn("The file cannot be read", self.refused(Path("a" * 5000)))
        self.assertRaises(ConfigError, load, Path("a\0b"))

    def test_unreadable(self) -> None:
        """A file that the system keeps from us."""
        with mock.patch("os.open", side_effect=PermissionError(13, "Permission denied")):
            self.assertEqual(self.refused(Path("gate.toml")), ": The file cannot be read: permission denied.")

    def test_not_utf8(self) -> None:
        """Bytes that are no UTF-8 are said with their line; a byte order mark with its remedy."""
        self.assertEqual(self.refused(self.file(b"[gate]\n# \xe9\n")), ":2: The file is not UTF-8.")
        self.assertIn(":1: The file begins with a byte order mark.", self.refused(self.file(b"\xef\xbb\xbf[gate]\n")))

    def test_too_large(self) -> None:
        """One mebibyte is read, one byte more is not."""
        mebibyte = LEAST.encode() + b"#" * ((1 << 20) - len(LEAST))
        load(self.file(mebibyte))
        self.assertEqual(self.refused(self.file(mebibyte + b"#")), ": The file is larger than 1 MiB.")

    @given(st.binary())
    def test_any_bytes(self, contents: bytes) -> None:
        """Any bytes."""
        try:
            load(self.file(contents))
        except ConfigError:
            pass


class DefinitionTests(SynchronousTestCase):
    """The definitions themselves are sound."""

    def test_documented(self) -> None:
        """Each key has the version that brought it, and its documentation; a table is described by its class."""
        for name, definition in every_key(Config):
            self.assertRegex(definition.since, r"\A\d+\.\d+\Z")
            if not isinstance(definition.kind, (Table, Tables)):
                self.assertTrue(definition.documentation.endswith("."), name)

    def test_defaults_are_of_their_kind(self) -> None:
        """Each default can be written, and what is written is read as the default."""
        for name, definition in every_key(Config):
            if definition.required or definition.default is None:
                continue
            written = definition.kind.show(definition.default)
            report = Report("x", Path("/"), scan(""))
            self.assertEqual(definition.kind.read(tomllib.loads(f"x = {written}")["x"], Place(report)), definition.default, name)
            self.assertEqual(report.problems, ())
