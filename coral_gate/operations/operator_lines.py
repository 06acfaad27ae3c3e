"""
What is said on the operator's socket: one request, a JSON object on a line; then lines of answer, the last of which says how it went.

A request is `{"do": "stream.list", "with": {...}}`. An answer is `{"progress": "..."}` any number of times, then
`{"done": {...}}` or `{"failed": "a sentence", "word": "a-word"}`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Final, NoReturn, TypeAlias

from attrs import frozen

LONGEST_REQUEST_BYTES: Final = 64 * 1024
"""A request's line, with its line feed."""

LONGEST_ANSWER_BYTES: Final = 16 * 1024 * 1024
"""A line of answer, with its line feed."""

_NAME: Final = re.compile(r"[a-z]{1,32}(\.[a-z]{1,32}){0,2}\Z")
_MOST_LEVELS: Final = 8
_LONGEST_SENTENCE: Final = 2_000


class NotALine(ValueError):
    """A line is no request or no answer; the text is a sentence without anything of the line in it."""


@frozen
class Request:
    """
    What an operator asks for.

    :ivar do: the operation's name, e.g. `stream.list`.
    :ivar given: what it is given; JSON's own kinds of values.
    """

    do: str
    given: Mapping[str, object]


@frozen
class Progress:
    """Work goes on; the sentence says how far it is."""

    sentence: str


@frozen
class Done:
    """It was done; the facts are JSON's own kinds of values."""

    facts: Mapping[str, object]


@frozen
class Failed:
    """
    It was not done.

    :ivar sentence: says why, for a person.
    :ivar word: says it to a program.
    """

    sentence: str
    word: str


Answer: TypeAlias = Progress | Done | Failed


def request_line(request: Request) -> bytes:
    """
    A request as it goes on the wire.

    :raises NotALine: it is longer than a request may be.
    """
    line = _line({"do": request.do, "with": dict(request.given)})
    if len(line) > LONGEST_REQUEST_BYTES:
        raise NotALine("The request is too long.")
    return line


def read_request(line: bytes) -> Request:
    """
    A request as it came, without its line feed.

    :raises NotALine: it is none.
    """
    if len(line) >= LONGEST_REQUEST_BYTES:
        raise NotALine("The request is too long.")
    said = _object(line)
    do, given = said.get("do"), said.get("with", {})
    if not said.keys() <= {"do", "with"} or not isinstance(do, str) or not _NAME.match(do) or not isinstance(given, dict):
        raise NotALine('A request is an object with the name of an operation, "do", and an object, "with".')
    return Request(do, given)


def answer_line(answer: Answer) -> bytes:
    """An answer as it goes on the wire; a sentence that is too long is cut."""
    if isinstance(answer, Progress):
        return _line({"progress": answer.sentence[:_LONGEST_SENTENCE]})
    if isinstance(answer, Done):
        return _line({"done": dict(answer.facts)})
    return _line({"failed": answer.sentence[:_LONGEST_SENTENCE], "word": answer.word})


def read_answer(line: bytes) -> Answer:
    """
    An answer as it came, without its line feed.

    :raises NotALine: it is none.
    """
    match _object(line):
        case {"progress": str(sentence), **rest} if not rest:
            return Progress(sentence)
        case {"done": dict(facts), **rest} if not rest:
            return Done(facts)
        case {"failed": str(sentence), "word": str(word), **rest} if not rest:
            return Failed(sentence, word)
    raise NotALine("This is no answer.")


def _line(said: Mapping[str, object]) -> bytes:
    return json.dumps(said, ensure_ascii=True, allow_nan=False, separators=(",", ":")).encode("ascii") + b"\n"


def _object(line: bytes) -> dict[str, object]:
    try:
        said = json.loads(line.decode("utf-8"), object_pairs_hook=_once_each, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        raise NotALine("A line holds one JSON object, whose names differ.") from None
    if not isinstance(said, dict) or not _shallow(said, _MOST_LEVELS):
        raise NotALine("A line holds one JSON object of few levels.")
    return said


def _once_each(pairs: list[tuple[str, object]]) -> dict[str, object]:
    """RFC 8259 §4: what a name that comes twice means, nobody knows."""
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name comes twice")
    return found


def _no_constant(word: str) -> NoReturn:
    raise ValueError("not a number of JSON's")


def _shallow(value: object, levels: int) -> bool:
    if not isinstance(value, dict | list):
        return True
    inside = value.values() if isinstance(value, dict) else value
    return levels > 0 and all(_shallow(each, levels - 1) for each in inside)
