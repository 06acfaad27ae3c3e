"""Random TOML files, with the line on which each key was written."""

from __future__ import annotations

import json

from attrs import define, field
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy

from coral_gate.config.positions import KeyPath

# What could lead a scanner astray: brackets, quotes, comments, equals signs and line breaks inside of values.
_LONG = st.text(alphabet="ab[]{}#=,.\"\\ \n'", max_size=12)
_SHORT = st.text(alphabet="ab[]{}#=,. '", max_size=8)
_GAPS = st.sampled_from(["", " ", "\n", " # ], } = \" ''' \n", "\t", "\r\n"])



def _basic_with_quotes(quotes: int) -> str:
    return '"""a' + '"' * quotes + '"""'


_SCALARS: SearchStrategy[str] = st.one_of(
    st.sampled_from(["1", "0x1f", "-7", "1_000", "3.5e-2", "inf", "nan", "true", '""', "''", '""""""']),
    st.sampled_from(["1979-05-27T07:32:00Z", "1979-05-27 07:32:00", "1979-05-27", "07:32:00"]),
    _SHORT.map(json.dumps),
    _SHORT.map(lambda text: "'" + text.replace("'", "") + "'"),
    _LONG.map(lambda text: '"""' + text.replace("\\", "\\\\").replace('"', '\\"') + '"""'),
    _LONG.map(lambda text: "'''" + text.replace("'", "").replace("\r", "") + "'''"),
    st.integers(0, 2).map(_basic_with_quotes),
    st.integers(0, 2).map(lambda quotes: "'''a" + "'" * quotes + "'''"),
)


@st.composite
def _arrays(draw: DrawFn, items: SearchStrategy[str]) -> str:
    parts = [draw(_GAPS) + item + draw(_GAPS) for item in draw(st.lists(items, max_size=3))]
    comma = draw(st.sampled_from(["", ","])) if parts else ""
    return f"[{','.join(parts)}{comma}{draw(_GAPS)}]"


@st.composite
def _inline_tables(draw: DrawFn, items: SearchStrategy[str]) -> str:
    values = draw(st.lists(items, max_size=3))
    style = draw(st.sampled_from(["k{0}", '"k {0}"', "'k={0}'", "k{0}.x", 'k{0} . "]"', "{0}"]))
    return "{ " + ", ".join(f"{style.format(number)} = {value}" for number, value in enumerate(values)) + " }"


def values() -> SearchStrategy[str]:
    """A value as it is written."""
    return st.recursive(_SCALARS, lambda items: st.one_of(_arrays(items), _inline_tables(items)), max_leaves=6)


@define
class Document:
    """
    A TOML file.

    :ivar text: the file.
    :ivar lines: the line of each key outside of values.
    """

    text: str = ""
    lines: dict[KeyPath, int] = field(factory=dict)
    table: KeyPath = ()
    fresh: int = 0

    def line(self) -> int:
        """The line that is written next."""
        return self.text.count("\n") + 1

    def name(self) -> str:
        """A key that is not there yet."""
        self.fresh += 1
        return f"n{self.fresh}"

    def note(self, path: KeyPath) -> None:
        """Remember that a path is on the next line, with every table that it makes."""
        for length in range(1, len(path) + 1):
            self.lines.setdefault(path[:length], self.line())


@st.composite
def documents(draw: DrawFn) -> Document:
    """A file of a few statements; it is TOML, and no key is there twice."""
    document = Document()
    arrays: dict[KeyPath, int] = {}
    for kind in draw(st.lists(st.sampled_from(["key", "key", "dotted", "table", "array", "again", "below", "blank"]), max_size=10)):
        if kind == "key":
            name = document.name()
            document.note((*document.table, name))
            spelled = draw(st.sampled_from([name, f'"{name}"', f"'{name}'", f'"\\u006e{name[1:]}"']))
            document.text += f"{draw(st.sampled_from(['', '  ']))}{spelled} = {draw(values())} # = [\n"
        elif kind == "dotted":
            names = (document.name(), document.name())
            document.note((*document.table, *names))
            document.text += f"{names[0]} . {names[1]}={draw(values())}\n"
        elif kind == "table":
            document.table = (document.name(), document.name())
            document.note(document.table)
            document.text += f'[ {document.table[0]} . "{document.table[1]}" ]\n'
        elif kind in ("array", "again", "below"):
            _array(draw, document, arrays, kind)
        else:
            document.text += draw(st.sampled_from(["\n", "# [x]\n", "  \t\n", "\r\n"]))
    return document


def _array(draw: DrawFn, document: Document, arrays: dict[KeyPath, int], kind: str) -> None:
    path: KeyPath = draw(st.sampled_from(sorted(arrays))) if arrays and kind != "array" else (document.name(),)
    if kind == "below" and path in arrays:
        below = document.name()
        document.table = (*path, arrays[path] - 1, below)
        document.note(document.table)
        document.text += f"[{path[0]}.{below}]\n"
        return
    number = arrays.get(path, 0)
    arrays[path] = number + 1
    document.table = (*path, number)
    document.note(document.table)
    document.text += f"[[ {path[0]} ]]\n"
