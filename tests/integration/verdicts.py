"""
Whether what happened to one input of the corpus is what its verdict says. Pure.
"""

from __future__ import annotations

import json

from attrs import frozen

from tests.corpus.case import REFUSALS, Case, Seen, Verdict, request
from tests.integration.answers import Answer
from tests.integration.node_origin import Record

SENTINEL = b"/sentinel"
FENCE = b"/fence"
"""Targets that the test itself asks for: on the same connection after a case, and on a new one after that."""

_GATES_OWN = frozenset({b"host", b"connection", b"accept-encoding", b"origin", b"content-length", b"transfer-encoding"})
"""Fields that the gate writes itself; each is looked at by itself."""

_RESET = "ECONNRESET"
"""Node's code for a connection that the gate has dropped: it says nothing of any request."""


class Wrong(Exception):
    """What happened is not what must happen."""


@frozen
class Happened:
    """
    What became of one input.

    :ivar answers: the gate's final answers on the case's connection.
    :ivar malformed: why they were no HTTP, or empty.
    :ivar records: what the origin saw from the case's begin until after the fence was answered.
    :ivar fence: the status of the answer on the connection that came after.
    """

    answers: list[Answer]
    malformed: str
    records: list[Record]
    fence: int


def has_sentinel(case: Case) -> bool:
    """Whether a further request is sent after the case's own bytes."""
    return not case.hangs_up


def sentinel(host: bytes) -> bytes:
    """The request that shows where a connection stands after a case."""
    return request(host, b"Connection: close", target=SENTINEL)


def judge(case: Case, happened: Happened, host: bytes) -> None:
    """
    Compare.

    :raises Wrong: saying what is wrong.
    """
    if happened.malformed:
        raise Wrong(f"the answer is not HTTP: {happened.malformed}")
    if happened.fence != 200:
        raise Wrong(f"the next connection was answered with {happened.fence}")
    records = [record for record in happened.records if record.reason != _RESET]
    seen = [record for record in records if record.target != FENCE]
    if len(seen) != len(records) - 1:
        raise Wrong("the fence did not reach the origin once")
    _JUDGES[case.verdict](case, happened.answers, seen, host)


def consistent(happened: Happened, host: bytes) -> None:
    """
    Compare what nobody has foretold with itself: the origin saw as many requests as were answered, each the one that
    its answer speaks of, and nothing that its parser refused.

    :raises Wrong: saying what is wrong.
    """
    if happened.malformed:
        raise Wrong(f"the answer is not HTTP: {happened.malformed}")
    if happened.fence != 200:
        raise Wrong(f"the next connection was answered with {happened.fence}")
    records = [record for record in happened.records if record.reason != _RESET and record.target != FENCE]
    events = [(record.event, record.reason) for record in records if record.event]
    if events:
        raise Wrong(f"node saw {events}")
    whole = [record for record in records if record.complete]
    good = [answer for answer in happened.answers if answer.status == 200]
    if len(good) != len(whole):
        raise Wrong(f"{len(good)} answers, and {len(whole)} requests at the origin: {[(r.method, r.target[:80]) for r in whole]}")
    if any(answer.status not in REFUSALS for answer in happened.answers if answer.status != 200):
        raise Wrong(f"answered with {[answer.status for answer in happened.answers]}")
    for answer, record in zip(good, whole, strict=True):
        _answered(answer, record)
        _own_fields(Seen(body=b" " * record.length), record, host)


def _forwarded(case: Case, answers: list[Answer], records: list[Record], host: bytes) -> None:
    expected = [*case.seen, *([] if case.closes else [Seen(target=SENTINEL)])]
    _same(expected, records, host)
    if len(answers) != len(expected):
        raise Wrong(f"{len(answers)} answers to {len(expected)} requests: {[answer.status for answer in answers]}")
    for answer, record in zip(answers, records, strict=True):
        _answered(answer, record)


def _refused(case: Case, answers: list[Answer], records: list[Record], host: bytes) -> None:
    _same(list(case.seen), records, host)
    if len(answers) != len(case.seen) + 1:
        raise Wrong(f"not one refusal after {len(case.seen)} answers: {[answer.status for answer in answers]}")
    for answer, record in zip(answers, records, strict=False):
        _answered(answer, record)
    _refusal(case, answers[-1])
    if not answers[-1].closes:
        raise Wrong("the refusal does not say that the connection closes")


def _denied(case: Case, answers: list[Answer], records: list[Record], host: bytes) -> None:
    if not answers:
        raise Wrong("no answer")
    _refusal(case, answers[0])
    if answers[0].closes:
        _same([], records, host)
    else:
        _same([Seen(target=SENTINEL)], records, host)
        if len(answers) != 2 or answers[1].status != 200:
            raise Wrong(f"after the refusal the connection was kept and not served: {[answer.status for answer in answers]}")


def _cut(case: Case, answers: list[Answer], records: list[Record], host: bytes) -> None:
    _same(list(case.seen), [record for record in records if record.complete or record.target == SENTINEL], host)
    if len(answers) > len(case.seen) + 1:
        raise Wrong(f"too many answers: {[answer.status for answer in answers]}")
    for answer in answers[len(case.seen) :]:
        _refusal(case, answer)
    if not case.hangs_up and len(answers) == len(case.seen):
        raise Wrong("closed without a word")


def _either(case: Case, answers: list[Answer], records: list[Record], host: bytes) -> None:
    if answers and answers[0].status in case.statuses:
        if any(record.complete and record.target != SENTINEL for record in records):
            raise Wrong("refused, and forwarded all the same")
        return
    _forwarded(case, answers, records, host)


_JUDGES = {
    Verdict.FORWARDED: _forwarded,
    Verdict.REFUSED: _refused,
    Verdict.DENIED: _denied,
    Verdict.CUT: _cut,
    Verdict.EITHER: _either,
}


def _refusal(case: Case, answer: Answer) -> None:
    if not answer.complete:
        raise Wrong("the refusal is cut off")
    if answer.status not in case.statuses:
        raise Wrong(f"answered with {answer.status}")


def _answered(answer: Answer, record: Record) -> None:
    if answer.status != 200 or not answer.complete:
        raise Wrong(f"answered with {answer.status}, complete: {answer.complete}")
    if record.method == b"HEAD":
        return
    said = json.loads(bytes(answer.body))
    if (said["method"].encode(), said["target"].encode("latin-1"), said["connection"], said["order"]) != (
        record.method,
        record.target,
        record.connection,
        said["order"],
    ):
        raise Wrong(f"the answer to {record.method!r} {record.target!r} is that of {said['method']} {said['target']}")


def _same(expected: list[Seen], records: list[Record], host: bytes) -> None:
    told = [(record.event or record.method, record.target[:80]) for record in records]
    if len(records) != len(expected):
        raise Wrong(f"the origin saw {len(records)} requests and not {len(expected)}: {told}")
    for seen, record in zip(expected, records, strict=True):
        _equal(seen, record, host)


def _equal(seen: Seen, record: Record, host: bytes) -> None:
    if record.event or not record.complete:
        raise Wrong(f"the origin saw no whole request: {record.event or record.method!r} {record.reason}")
    if (record.method, record.target) != (seen.method, seen.target):
        raise Wrong(f"the origin saw {record.method!r} {record.target[:200]!r}")
    if not record.has_body(seen.body):
        raise Wrong(f"the origin saw {record.length} octets of content: {record.first[:200]!r}")
    fields = tuple((name.lower(), value) for name, value in record.fields if name.lower() not in _GATES_OWN)
    if fields != seen.fields:
        raise Wrong(f"the origin saw the fields {fields!r}")
    _own_fields(seen, record, host)


def _own_fields(seen: Seen, record: Record, host: bytes) -> None:
    if record.version != "1.1" or record.trailers:
        raise Wrong(f"the origin saw version {record.version} and trailers {record.trailers}")
    if record.values(b"host") != [host]:
        raise Wrong(f"the origin saw Host {record.values(b'host')}")
    if record.values(b"accept-encoding") != [b"identity"]:
        raise Wrong(f"the origin saw Accept-Encoding {record.values(b'accept-encoding')}")
    if record.values(b"origin") not in ([], [b"https://" + host]):
        raise Wrong(f"the origin saw Origin {record.values(b'origin')}")
    if record.values(b"connection") not in ([], [b"keep-alive"], [b"close"]):
        raise Wrong(f"the origin saw Connection {record.values(b'connection')}")
    coding, length = record.values(b"transfer-encoding"), record.values(b"content-length")
    if (coding, length) not in (([], []), ([b"chunked"], []), ([], [b"%d" % len(seen.body)])):
        raise Wrong(f"the origin saw content framed by {coding} and {length}")
