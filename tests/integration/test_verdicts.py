"""The judge of the corpus finds what is wrong: each promise of a verdict, broken once."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import attrs
from twisted.trial.unittest import SynchronousTestCase

from tests.corpus.case import Case, Seen, Verdict
from tests.integration.answers import Answer
from tests.integration.node_origin import Record
from tests.integration.verdicts import FENCE, SENTINEL, Happened, Wrong, consistent, judge

_HOST = b"x.sbx.localhost:1"


def _record(target: bytes = b"/", method: bytes = b"GET", body: bytes = b"", **changes: Any) -> Record:
    fields = ((b"Host", _HOST), (b"Accept-Encoding", b"identity"))
    record = Record("", 1, method, target, "1.1", fields, (), len(body), hashlib.sha256(body).hexdigest(), body, True)
    return attrs.evolve(record, **changes)


def _answer(target: bytes = b"/", method: bytes = b"GET") -> Answer:
    said = {"method": method.decode(), "target": target.decode(), "connection": 1, "order": 0}
    return Answer(200, [], bytearray(json.dumps(said).encode()), True)


def _refusal(status: int = 400, connection: bytes = b"close") -> Answer:
    return Answer(status, [(b"connection", connection)], bytearray(b"no"), True)


_FENCE = _record(FENCE)
_SENTINEL = _record(SENTINEL)


def _happened(answers: list[Answer], records: list[Record], malformed: str = "", fence: int = 200) -> Happened:
    return Happened(answers, malformed, [*records, _FENCE], fence)


def _case(verdict: Verdict, *seen: Seen, closes: bool = False, hangs_up: bool = False) -> Case:
    return Case("class/name", b"", verdict, "a reason", seen, closes=closes, hangs_up=hangs_up)


class JudgeTests(SynchronousTestCase):
    """What passes and what does not."""

    def passes(self, case: Case, happened: Happened) -> None:
        judge(case, happened, _HOST)

    def fails(self, case: Case, *happened: Happened) -> None:
        for one in happened:
            self.assertRaises(Wrong, judge, case, one, _HOST)

    def test_forwarded(self) -> None:
        """The origin saw exactly the requests, and each was answered with its own answer."""
        case = _case(Verdict.FORWARDED, Seen())
        good = [_answer(), _answer(SENTINEL)]
        self.passes(case, _happened(good, [_record(), _SENTINEL]))
        self.passes(_case(Verdict.FORWARDED, Seen(), closes=True), _happened([_answer()], [_record()]))
        self.fails(
            case,
            _happened(good, [_record(), _record(b"/SMUGGLED"), _SENTINEL]),
            _happened(good, [_record()]),
            _happened(good, [_SENTINEL, _record()]),
            _happened(good[:1], [_record(), _SENTINEL]),
            _happened([good[1], good[0]], [_record(), _SENTINEL]),
            _happened([good[0], _refusal()], [_record(), _SENTINEL]),
            _happened(good, [_record(), _SENTINEL], malformed="stray bytes"),
            _happened(good, [_record(), _SENTINEL], fence=502),
            Happened(good, "", [_record(), _SENTINEL], 200),
        )

    def test_request_as_it_was(self) -> None:
        """Method, target, content, fields, framing and Host: each difference is found."""
        case = _case(Verdict.FORWARDED, Seen(b"POST", b"/a", b"hello"))
        answers = [_answer(b"/a", b"POST"), _answer(SENTINEL)]
        fields = (*_record().fields, (b"Content-Length", b"5"))
        good = _record(b"/a", b"POST", b"hello", fields=fields)
        self.passes(case, _happened(answers, [good, _SENTINEL]))
        more: list[tuple[bytes, bytes]] = [
            (b"X-User", b"root"), (b"Transfer-Encoding", b"chunked"), (b"Host", _HOST), (b"Connection", b"upgrade"),
            (b"Origin", b"https://evil.example"), (b"content-length", b"5"), (b"Accept-Encoding", b"identity"),
        ]  # fmt: skip
        less = [fields[1:], (fields[0], *fields[2:]), (*fields[:2], (b"Content-Length", b"6"))]
        wrong: list[dict[str, Any]] = [
            {"method": b"PUT"}, {"target": b"/A"}, {"sha256": "x"}, {"complete": False}, {"version": "1.0"}, {"trailers": (b"X", b"1")},
            {"event": "clientError"}, *({"fields": (*fields, one)} for one in more), *({"fields": some} for some in less),
        ]  # fmt: skip
        for changes in wrong:
            self.fails(case, _happened(answers, [attrs.evolve(good, **changes), _SENTINEL]))

    def test_refused(self) -> None:
        """One refusal that closes, and nothing at the origin but what came before it."""
        case = _case(Verdict.REFUSED)
        self.passes(case, _happened([_refusal()], []))
        self.passes(_case(Verdict.REFUSED, Seen()), _happened([_answer(), _refusal(501)], [_record()]))
        self.fails(
            case,
            _happened([], []),
            _happened([_refusal()], [_record()]),
            _happened([_refusal()], [_record(complete=False)]),
            _happened([_refusal()], [_record(event="clientError")]),
            _happened([_refusal(), _answer(SENTINEL)], [_SENTINEL]),
            _happened([_refusal(200)], []),
            _happened([_refusal(502)], []),
            _happened([_refusal(400, b"keep-alive")], []),
            _happened([attrs.evolve(_refusal(), complete=False)], []),
        )

    def test_denied(self) -> None:
        """A refusal; then the connection is closed, or kept and served."""
        case = _case(Verdict.DENIED)
        self.passes(case, _happened([_refusal(421)], []))
        self.passes(case, _happened([_refusal(421, b"keep-alive"), _answer(SENTINEL)], [_SENTINEL]))
        self.fails(
            case,
            _happened([], []),
            _happened([_answer()], [_record()]),
            _happened([_refusal()], [_record()]),
            _happened([_refusal(421, b"keep-alive")], []),
            _happened([_refusal(421, b"keep-alive"), _answer(SENTINEL)], [_record(), _SENTINEL]),
        )

    def test_cut(self) -> None:
        """The origin takes no request for complete, and nothing after it is served."""
        case = _case(Verdict.CUT)
        self.passes(case, _happened([_refusal()], []))
        self.passes(case, _happened([_refusal()], [_record(complete=False)]))
        self.passes(_case(Verdict.CUT, hangs_up=True), _happened([], [_record(complete=False)]))
        self.fails(
            case,
            _happened([_refusal()], [_record()]),
            _happened([_refusal()], [_record(complete=False), _SENTINEL]),
            _happened([_answer()], []),
            _happened([], []),
            _happened([_refusal(), _refusal()], []),
        )

    def test_either(self) -> None:
        """Refused with nothing at the origin, or forwarded as it is."""
        case = _case(Verdict.EITHER, Seen())
        self.passes(case, _happened([_refusal()], []))
        self.passes(case, _happened([_answer(), _answer(SENTINEL)], [_record(), _SENTINEL]))
        self.fails(
            case,
            _happened([_refusal()], [_record()]),
            _happened([_answer(), _answer(SENTINEL)], [_record(b"/b"), _SENTINEL]),
            _happened([], []),
        )

    def test_dropped_connection(self) -> None:
        """That the gate dropped a connection on which nothing was going on is no event."""
        reset = Record("clientError", 1, reason="ECONNRESET")
        self.passes(_case(Verdict.REFUSED), _happened([_refusal()], [reset]))
        self.fails(_case(Verdict.REFUSED), _happened([_refusal()], [attrs.evolve(reset, reason="HPE_INVALID_METHOD")]))

    def test_consistent(self) -> None:
        """Where no verdict is known: as many requests as answers, each its own, and none that node refuses."""
        good = [_answer(), _answer(SENTINEL)]
        consistent(_happened(good, [_record(), _SENTINEL]), _HOST)
        consistent(_happened([_answer(), _refusal()], [_record()]), _HOST)
        consistent(_happened([_refusal()], [_record(complete=False)]), _HOST)
        for happened in (
            _happened(good, [_record()]),
            _happened(good, [_record(), _record(b"/SMUGGLED"), _SENTINEL]),
            _happened(good, [_SENTINEL, _record()]),
            _happened([_refusal()], [_record()]),
            _happened([_refusal(502)], []),
            _happened([_refusal()], [_record(event="clientError", reason="HPE_INVALID_METHOD")]),
            _happened([_refusal()], [], malformed="stray bytes"),
            _happened([_refusal()], [], fence=503),
            _happened(good, [_record(fields=()), _SENTINEL]),
        ):
            self.assertRaises(Wrong, consistent, happened, _HOST)
