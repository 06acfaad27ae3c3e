"""The lines of the operator's socket are read strictly, and what was written is read as it was."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from coral_gate.operations.operator_lines import (
    LONGEST_REQUEST_BYTES,
    Done,
    Failed,
    NotALine,
    Progress,
    Request,
    answer_line,
    read_answer,
    read_request,
    request_line,
)

WORDS = st.text(max_size=40)
GIVEN = st.dictionaries(
    WORDS, st.one_of(WORDS, st.booleans(), st.none(), st.integers(-(2**53), 2**53), st.lists(WORDS, max_size=3)), max_size=4
)
ANSWERS = st.one_of(st.builds(Progress, WORDS), st.builds(Done, GIVEN), st.builds(Failed, WORDS, WORDS))


class LineTests(SynchronousTestCase):
    """Requests and answers."""

    @given(GIVEN)
    def test_request(self, given_: dict[str, object]) -> None:
        """A request survives the way, on one line."""
        line = request_line(Request("stream.list", given_))
        self.assertEqual((line.count(b"\n"), line[-1:]), (1, b"\n"))
        self.assertEqual(read_request(line[:-1]), Request("stream.list", given_))

    @given(ANSWERS)
    def test_answer(self, answer: Progress | Done | Failed) -> None:
        """So does an answer."""
        line = answer_line(answer)
        self.assertEqual((line.count(b"\n"), line[-1:]), (1, b"\n"))
        self.assertEqual(read_answer(line[:-1]), answer)

    @given(st.one_of(st.binary(max_size=200), st.recursive(st.none() | st.text(), st.lists).map(lambda one: json.dumps(one).encode())))
    def test_anything(self, line: bytes) -> None:
        """Nothing but its own error ever escapes."""
        for read in (read_request, read_answer):
            try:
                read(line)
            except NotALine as error:
                self.assertNotIn("Traceback", str(error))

    def test_refused(self) -> None:
        """What can be read in two ways, or says more than a request does, is none."""
        for line in (
            b'{"do":"a","do":"b"}',
            b'{"do":"a","with":{"x":1,"x":2}}',
            b'{"do":"a","as":"root"}',
            b'{"do":"a","with":[]}',
            b'{"do":"../a"}',
            b'{"do":"A"}',
            b'{"do":1}',
            b'{"with":{}}',
            b'{"do":"a","with":{"x":NaN}}',
            b'{"do":"a"} {}',
            b'{"do":"a","with":{"x":' + b"[" * 20 + b"]" * 20 + b"}}",
            b"[" * 60_000,
            b'{"do":"a","with":{"x":"' + b"x" * LONGEST_REQUEST_BYTES + b'"}}',
            b"\xff",
            b"",
        ):
            self.assertRaises(NotALine, read_request, line)
        self.assertEqual(read_request(b'{"do":"reload"}'), Request("reload", {}))

    def test_too_long_to_send(self) -> None:
        """A request that a daemon would refuse for its length is not sent."""
        self.assertRaises(NotALine, request_line, Request("a", {"x": "x" * LONGEST_REQUEST_BYTES}))
