"""
Whether what a client saw of a hostile sandbox's answer is what may be seen. Pure.
"""

from __future__ import annotations

from attrs import frozen

from tests.corpus.response import Outcome, Response
from tests.integration.answers import Answer
from tests.integration.verdicts import Wrong


@frozen
class Saw:
    """
    What a client saw.

    :ivar answer: the first answer, perhaps in part; None where nothing came.
    :ivar malformed: why what came is no HTTP, or empty.
    :ivar closed: the gate closed the connection after it, or in it.
    :ivar next: the content of the answer to a further request on the same connection, where it was kept.
    :ivar target: what that request asked for, which is what a good answer holds.
    :ivar fresh: whether a request on a new connection was answered well.
    """

    answer: Answer | None
    malformed: str
    closed: bool
    next: bytes | None
    target: bytes
    fresh: bool


def judge(case: Response, saw: Saw) -> None:
    """
    Compare.

    :raises Wrong: saying what is wrong.
    """
    if saw.malformed:
        raise Wrong(f"what came is no HTTP: {saw.malformed}")
    if not saw.fresh:
        raise Wrong("the next connection was not served")
    if saw.answer is None:
        if Outcome.CUT not in case.outcomes or not saw.closed:
            raise Wrong("no answer")
        return  # cut before the head was on its way: nobody takes that for an answer
    outcome = _outcome(case, saw.answer)
    if outcome not in case.outcomes:
        raise Wrong(f"{outcome.name}: {saw.answer.status} {bytes(saw.answer.body[:200])!r}")
    if outcome in (Outcome.PASSED, Outcome.CUT):
        _as_sent(case, saw.answer, outcome)
    _afterwards(saw, outcome)


def _outcome(case: Response, answer: Answer) -> Outcome:
    if answer.status in (502, 504) and (case.method == b"HEAD" or b"\nRequest " in answer.body):
        if not answer.complete:
            raise Wrong("the gate's own answer is cut off")
        return Outcome.REFUSED
    return Outcome.PASSED if answer.complete else Outcome.CUT


def _as_sent(case: Response, answer: Answer, outcome: Outcome) -> None:
    body = bytes(answer.body)
    if answer.status != case.status:
        raise Wrong(f"{outcome.name} with status {answer.status}")
    if body != case.body if outcome is Outcome.PASSED else not case.body.startswith(body):
        raise Wrong(f"{outcome.name} with content {body[:200]!r} of {len(body)} octets")
    shown = [name for name, _ in answer.fields if name in case.absent]
    if shown:
        raise Wrong(f"the client saw {shown}")


def _afterwards(saw: Saw, outcome: Outcome) -> None:
    assert saw.answer is not None
    if outcome is Outcome.CUT:
        if not saw.closed:
            raise Wrong("an answer without end on a connection that is kept")
    elif saw.answer.closes:
        if not saw.closed:
            raise Wrong("it says that it closes and does not")
    elif saw.next != saw.target:
        raise Wrong(f"the next request on the connection was answered with {saw.next!r}")
