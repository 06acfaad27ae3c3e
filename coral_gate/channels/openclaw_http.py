"""
Ordinary requests to OpenClaw: what its own UI asks for, with the credential that only the gate has.
"""

from __future__ import annotations

import re
from collections.abc import Coroutine
from typing import Any, Final

from attrs import define
from twisted.logger import Logger

from coral_gate.channels.breaker import Breaker
from coral_gate.channels.http import SANDBOX_FIELDS, STATUS_LINES
from coral_gate.channels.openclaw import UPSTREAM_HOST
from coral_gate.channels.openclaw_document import DOCUMENT_BYTES, NotTheDocument, connecting_to, with_script
from coral_gate.channels.openclaw_paths import Kind, place_of
from coral_gate.channels.plan import Plan
from coral_gate.custody.leaks import LEAST_BYTES, LeakScan
from coral_gate.custody.of_sandboxes import SandboxCredentials
from coral_gate.errors import ClientFault, UpstreamFault, UpstreamUnreachable
from coral_gate.http1.body import Piece
from coral_gate.http1.head import RequestHead, ResponseHead
from coral_gate.interfaces import ISandboxDriver
from coral_gate.model import Allowed, Asker, SandboxId, Secret, ServiceName

_HOST: Final = UPSTREAM_HOST.encode("ascii")
_ENCODINGS: Final = (b"br", b"gzip")
_CONDITIONS: Final = frozenset(b"if-match if-none-match if-modified-since if-unmodified-since if-range range".split())
_OF_DOCUMENTS: Final = frozenset(b"etag last-modified cache-control expires accept-ranges content-security-policy".split())
_OWN_POLICY: Final = b"connect-src 'self'"
_VISIBLE: Final = re.compile(rb"[!-~]+\Z")
_SCRIPTS: Final = frozenset({b"text/javascript", b"application/javascript"})


class NotOffered(ClientFault):
    """The gate lets nobody through to this address of OpenClaw."""

    status = 404
    sentence = "There is nothing at this address."


class StaleCredential(UpstreamFault):
    """OpenClaw did not accept the gate's credential."""

    sentence = "The sandbox did not accept the gate's credential; try again in a moment."


class SecretSent(UpstreamFault):
    """The sandbox sent its own credential, which no browser may see."""

    sentence = "The sandbox answered with something that must not leave it."


@define(eq=False)
class OpenClawHTTP:
    """
    Forwards to OpenClaw's gateway.

    :param breaker: remembers what was refused; the control channel has the same.
    """

    _driver: ISandboxDriver
    _credentials: SandboxCredentials
    _breaker: Breaker

    def plan(self, head: RequestHead, allowed: Allowed, asker: Asker) -> Plan | Coroutine[Any, Any, Plan]:
        """
        See `Forwarding.plan`.

        :raises NotOffered: its UI does not ask for this.
        """
        assert allowed.sandbox is not None  # routes of this channel are on sandbox origins
        kind = place_of(head.method, head.path)
        if kind is None:
            raise NotOffered
        secret = self._credentials.kept(allowed.sandbox, ServiceName.APP)
        if secret is None:
            return self._plan_later(head, allowed, asker, kind, allowed.sandbox)
        return self._plan(head, allowed, asker, kind, allowed.sandbox, secret)

    async def _plan_later(self, head: RequestHead, allowed: Allowed, asker: Asker, kind: Kind, sandbox: SandboxId) -> Plan:
        secret = await self._credentials.open(sandbox, ServiceName.APP)
        return self._plan(head, allowed, asker, kind, sandbox, secret)

    def _plan(self, head: RequestHead, allowed: Allowed, asker: Asker, kind: Kind, sandbox: SandboxId, secret: Secret) -> Plan:
        self._breaker.check(sandbox, secret)
        link = self._driver.link(sandbox, ServiceName.APP)
        if link is None:
            raise UpstreamUnreachable
        document = kind is Kind.DOCUMENT
        # A plugin's own route may lie below a place of the UI, and would be asked with the credential.
        target = b"/" if document else head.target
        lines = [b"%b %b HTTP/1.1\r\nHost: %b\r\nOrigin: http://%b" % (head.method, target, _HOST, _HOST)]
        lines.append(b"Accept-Encoding: " + _encodings(head, kind))
        if not _VISIBLE.match(secret.reveal()):  # a line break in it would be a field of its own
            raise StaleCredential
        lines.append(b"Authorization: Bearer " + secret.reveal())
        lines += [line for line in head.passing if not document or _name(line) not in _CONDITIONS]
        session = asker.serial if allowed.visitor is None else allowed.visitor.digest
        answering = OpenClawAnswer(self, sandbox, kind, allowed.authority, secret, head.method)
        return Plan(link, sandbox, (sandbox, ServiceName.APP, session), lines, 0, answering)

    def answer(self, head: ResponseHead, allowed: Allowed) -> list[bytes]:
        """Each plan has an answer of its own."""
        raise UpstreamFault

    def stale(self, sandbox: SandboxId, secret: Secret) -> None:
        """OpenClaw refused a credential: it is opened anew, and the same one is not tried again for a while."""
        self._breaker.refused(sandbox, secret)
        self._credentials.drop(sandbox)


class OpenClawAnswer:
    """
    What becomes of one answer; see `plan.Answering`.

    :ivar most: octets that the exchange collects before it passes any on, or 0 where they stream.
    """

    __slots__ = ("_authority", "_channel", "_kind", "_method", "_sandbox", "_scan", "_secret", "most")

    def __init__(self, channel: OpenClawHTTP, sandbox: SandboxId, kind: Kind, authority: bytes, secret: Secret, method: bytes) -> None:
        self._channel = channel
        self._sandbox = sandbox
        self._kind = kind
        self._authority = authority
        self._secret = secret
        self._method = method
        self._scan = LeakScan([secret]) if len(secret.reveal()) >= LEAST_BYTES else None
        self.most = 0

    def head(self, head: ResponseHead) -> list[bytes]:
        """See `plan.Answering.head`."""
        if head.status == 401:
            self._channel.stale(self._sandbox, self._secret)
            raise StaleCredential
        encoded = head.read.get(b"content-encoding", b"identity").lower()
        if encoded != b"identity" and (self._kind is not Kind.ASSET or encoded not in _ENCODINGS):
            raise UpstreamFault("the answer is encoded though identity was asked for")
        lines = [STATUS_LINES.get(head.status) or b"HTTP/1.1 %d " % head.status]
        for lower, name in ((b"content-type", b"Content-Type: "), (b"location", b"Location: ")):
            if lower in head.read:
                lines.append(name + head.read[lower])
        lines += self._fields(head)
        if encoded != b"identity":
            lines.append(b"Content-Encoding: " + encoded)
        self._look_at_head(lines)
        if encoded != b"identity":
            self._scan = None  # it is compressed, and the same for everybody
        return lines

    def _fields(self, head: ResponseHead) -> list[bytes]:
        essence = head.read.get(b"content-type", b"").partition(b";")[0].strip().lower()
        if self._kind is Kind.WORKER and head.status == 200 and essence not in _SCRIPTS:
            raise UpstreamFault("what is to be the service worker is no script")
        if self._kind is Kind.DOCUMENT and head.status == 200 and essence == b"text/html":
            return self._document_fields(head)
        if essence in _SCRIPTS:  # shown as a page it is text; a sandbox would stop it from being a worker
            return [*head.passing, SANDBOX_FIELDS]
        return [*head.passing, SANDBOX_FIELDS, b"Content-Security-Policy: sandbox allow-scripts"]

    def _document_fields(self, head: ResponseHead) -> list[bytes]:
        policies = [line.partition(b":")[2].strip(b" \t") for line in head.passing if _name(line) == b"content-security-policy"]
        connects = b"'self' wss://%b data:" % self._authority
        try:
            policy = connecting_to(b", ".join(policies), connects)
        except NotTheDocument as e:
            raise UpstreamFault("the document's policy is not as it has to be") from e
        if self._method == b"GET":
            self.most = DOCUMENT_BYTES
        kept = [line for line in head.passing if _name(line) not in _OF_DOCUMENTS]
        own = SANDBOX_FIELDS.replace(_OWN_POLICY, b"connect-src " + connects)
        return [*kept, b"Content-Security-Policy: " + policy, own, b"Cache-Control: no-store"]

    def _look_at_head(self, lines: list[bytes]) -> None:
        if self._scan is not None:
            self.look([b"\r\n".join(lines)])

    def look(self, pieces: list[Piece]) -> None:
        """See `plan.Answering.look`."""
        scan = self._scan
        if scan is not None and any(scan.feed(piece) for piece in pieces):
            _log.warn("sandbox {sandbox} answered with its own credential; the answer was cut", sandbox=self._sandbox)
            raise SecretSent

    def whole(self, content: bytes) -> bytes:
        """See `plan.Answering.whole`."""
        try:
            return with_script(content)
        except NotTheDocument as e:
            raise UpstreamFault("the document's head is not where it has to be") from e


def _encodings(head: RequestHead, kind: Kind) -> bytes:
    """Of what the browser takes (RFC 9110 §12.5.3), what OpenClaw has its files in; weights are for others."""
    if kind is not Kind.ASSET:
        return b"identity"
    takes = {part.strip(b" \t") for part in head.read.get(b"accept-encoding", b"").lower().split(b",")}
    return b", ".join(name for name in _ENCODINGS if name in takes) or b"identity"


def _name(line: bytes) -> bytes:
    return line.partition(b":")[0].lower()


_log = Logger()
