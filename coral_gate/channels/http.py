"""
The `http` channel: ordinary requests to a sandbox's app service.
"""

from __future__ import annotations

from http import HTTPStatus

from coral_gate.channels.cookies import passing_cookies, without_reserved
from coral_gate.channels.plan import Plan
from coral_gate.errors import UpstreamFault, UpstreamUnreachable
from coral_gate.http1.head import RequestHead, ResponseHead
from coral_gate.interfaces import ISandboxDriver
from coral_gate.model import Allowed, Asker, ServiceName

STATUS_LINES = {status.value: f"HTTP/1.1 {status.value} {status.phrase}".encode("ascii") for status in HTTPStatus}
"""Status lines with the standard phrases: a sandbox's own phrase is free text and does not pass."""

SANDBOX_FIELDS = (
    b"Strict-Transport-Security: max-age=31536000; includeSubDomains\r\n"
    b"X-Content-Type-Options: nosniff\r\n"
    b"Referrer-Policy: same-origin\r\n"
    b"Origin-Agent-Cluster: ?1\r\n"
    b"Cross-Origin-Opener-Policy: same-origin\r\n"
    b"Cross-Origin-Resource-Policy: same-origin\r\n"
    b"Content-Security-Policy: frame-ancestors 'none'; base-uri 'self'; connect-src 'self'\r\n"
    b"Cache-Control: private\r\n"
    b"Vary: Cookie"
)
"""
What the gate says of every sandbox origin; its policy stands beside the sandbox's own, and both hold (CSP3 §4.2).

No cache between keeps what a sandbox answered, whatever the sandbox says of that: directives of several fields all hold, and
`private` forbids it beside any other (RFC 9111 §5.2.2.7).
"""

_KEPT = ((b"content-type", b"Content-Type: "), (b"location", b"Location: "))


class HTTPChannel:
    """
    Forwards to a sandbox's app.

    :param body_bytes: the most content of one request, where its route does not say.
    """

    __slots__ = ("_body_bytes", "_driver")

    def __init__(self, driver: ISandboxDriver, body_bytes: int) -> None:
        self._driver = driver
        self._body_bytes = body_bytes

    def plan(self, head: RequestHead, allowed: Allowed, asker: Asker) -> Plan:
        """See `Forwarding.plan`."""
        assert allowed.sandbox is not None  # routes of this channel are on sandbox origins
        link = self._driver.link(allowed.sandbox, ServiceName.APP)
        if link is None:
            raise UpstreamUnreachable
        lines = [b"%b %b HTTP/1.1\r\nHost: %b\r\nAccept-Encoding: identity" % (head.method, head.target, allowed.authority)]
        read = head.read
        if b"origin" in read:
            lines.append(b"Origin: https://" + allowed.authority)
        cookie = read.get(b"cookie")
        if cookie is not None and (cookie := without_reserved(cookie)):
            lines.append(b"Cookie: " + cookie)
        lines += head.passing
        most = self._body_bytes if allowed.body_bytes is None else allowed.body_bytes
        session = asker.serial if allowed.visitor is None else allowed.visitor.digest
        return Plan(link, allowed.sandbox, (allowed.sandbox, ServiceName.APP, session), lines, most)

    def answer(self, head: ResponseHead, allowed: Allowed) -> list[bytes]:
        """See `Forwarding.answer`."""
        read = head.read
        if read.get(b"content-encoding", b"identity").lower() != b"identity":
            raise UpstreamFault("the answer is encoded though identity was asked for")
        lines = [STATUS_LINES.get(head.status) or b"HTTP/1.1 %d " % head.status]
        lines += [name + read[lower] for lower, name in _KEPT if lower in read]
        lines += head.passing
        lines += [b"Set-Cookie: " + cookie for cookie in passing_cookies(head.cookies)]
        lines.append(SANDBOX_FIELDS)
        return lines
