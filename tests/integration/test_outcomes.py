"""The judge of hostile answers finds what is wrong: each promise, broken once."""

from __future__ import annotations

from typing import Any

import attrs
from twisted.trial.unittest import SynchronousTestCase

from tests.corpus.response import BROKEN, PASSED, REFUSED, Response
from tests.integration.answers import Answer
from tests.integration.outcomes import Saw, judge
from tests.integration.verdicts import Wrong

_CASE = Response("class/name", (b"x",), PASSED, "a reason", body=b"hello", absent=frozenset({b"alt-svc"}))
_KEPT = Saw(Answer(200, [(b"content-length", b"5")], bytearray(b"hello"), True), "", False, b"/next", b"/next", True)
_OWN = Answer(502, [(b"connection", b"close")], bytearray(b"502\nRequest x"), True)


def _answer(**changes: Any) -> Answer:
    assert _KEPT.answer is not None
    return attrs.evolve(_KEPT.answer, **changes)


class JudgeTests(SynchronousTestCase):
    """What passes and what does not."""

    def fails(self, case: Response, **changes: Any) -> None:
        self.assertRaises(Wrong, judge, case, attrs.evolve(_KEPT, **changes))

    def test_any(self) -> None:
        """Whatever the outcome, HTTP comes, and the gate goes on."""
        judge(_CASE, _KEPT)
        self.fails(_CASE, answer=None)
        self.fails(_CASE, malformed="stray bytes")
        self.fails(_CASE, fresh=False)

    def test_passed(self) -> None:
        """Status and content as sent, nothing that must be absent, and the next request gets its own answer."""
        self.fails(_CASE, answer=_answer(status=201))
        self.fails(_CASE, answer=_answer(body=bytearray(b"hell")))
        self.fails(_CASE, answer=_answer(complete=False), closed=True)
        self.fails(_CASE, answer=_answer(fields=[(b"alt-svc", b"x")]))
        self.fails(_CASE, answer=_OWN, closed=True)
        self.fails(_CASE, next=b"STRAY")
        self.fails(_CASE, next=None)
        self.fails(_CASE, answer=_answer(fields=[(b"connection", b"close")]), closed=False)

    def test_refused(self) -> None:
        """The gate's own answer, whole, and nothing of the sandbox's."""
        case = attrs.evolve(_CASE, outcomes=REFUSED)
        judge(case, attrs.evolve(_KEPT, answer=_OWN, closed=True))
        self.fails(case)
        self.fails(case, answer=attrs.evolve(_OWN, complete=False), closed=True)
        self.fails(case, answer=_answer(status=502))

    def test_cut(self) -> None:
        """A beginning of the content, and an end that shows."""
        case = attrs.evolve(_CASE, outcomes=BROKEN)
        judge(case, attrs.evolve(_KEPT, answer=_answer(body=bytearray(b"hel"), complete=False), closed=True))
        self.fails(case)
        judge(case, attrs.evolve(_KEPT, answer=None, closed=True))
        self.fails(case, answer=None, closed=False)
        self.fails(case, answer=_answer(body=bytearray(b"help"), complete=False), closed=True)
        self.fails(case, answer=_answer(body=bytearray(b"hel"), complete=False), closed=False)
