"""
Faults, grouped by who is at fault, each with the status it is answered with and a sentence for a person.

A fault carries nothing internal: its sentence may be shown to anyone.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, ClassVar

from attrs import frozen

if TYPE_CHECKING:
    from coral_gate.model import UserId

_WORD = re.compile(r"[a-z][a-z0-9_-]{0,47}\Z")
_INSIDE_NAME = re.compile(r"(?<=[a-z])(?=[A-Z])")


class Fault(Exception):
    """
    Something that ends a request or a stream with a reason.

    :cvar status: the HTTP status that answers it.
    :cvar close_code: the WebSocket close code that ends a stream for it (RFC 6455 §7.4; 4400-4499 are ours).
    """

    status: ClassVar[int] = 500
    close_code: ClassVar[int] = 1011
    sentence: ClassVar[str] = "Something went wrong on our side."

    @property
    def word(self) -> str:
        """A machine word for logs and audit: the one that it was raised with, else its class's name (`upstream-too-slow`)."""
        said = str(self)
        return said if _WORD.match(said) else _INSIDE_NAME.sub("-", type(self).__name__).lower()


class ClientFault(Fault):
    """The peer in front broke a rule; answered with 4xx."""

    status = 400
    close_code = 1008
    sentence = "The request was not understood."


class TooSlow(ClientFault):
    """A deadline of the peer in front passed (RFC 9110 §15.5.9)."""

    status = 408
    close_code = 4408
    sentence = "The request took too long to arrive."


class BodyTooLarge(ClientFault):
    """A request's content is larger than the route takes (RFC 9110 §15.5.14)."""

    status = 413
    close_code = 1009
    sentence = "The request's content is too large."


class TooMany(ClientFault):
    """A cap or rate was reached (RFC 6585 §4)."""

    status = 429
    close_code = 1013
    sentence = "Too many requests; try again shortly."


class SignInRefused(ClientFault):
    """
    A sign-in was refused; nobody is signed in. All refusals look alike to the person.

    :ivar reason: a word for the audit log, e.g. `nonce.wrong`; docs/sign-in.md lists them.
    :ivar who: whom the issuer vouched for, where it came to that.
    """

    status = 403
    sentence = "You could not be signed in."

    def __init__(self, reason: str, who: UserId | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.who = who


class NotPermitted(ClientFault):
    """The one who asks lacks the right at this moment; nothing was changed (RFC 9110 §15.5.4)."""

    status = 403
    close_code = 4403
    sentence = "You may not do this."


class TicketRefused(ClientFault):
    """A ticket opens nothing here; it is spent. All refusals look alike to whoever brought it."""

    status = 403
    close_code = 4403
    sentence = "This connection has to be opened anew."


class Conflict(ClientFault):
    """What is asked for does not fit what is stored; nothing was changed (RFC 9110 §15.5.10)."""

    status = 409
    sentence = "This does not fit the present state."


class LastAdministrator(Conflict):
    """No administrator would be left who may sign in."""

    sentence = "This is the last administrator; name another one first."


class StillInUse(Conflict):
    """A user still has a sandbox that is not destroyed."""

    sentence = "This user still has a sandbox; destroy it first."


class SandboxIdTaken(Conflict):
    """A sandbox's id is another owner's, or was a destroyed sandbox's; make a new one."""

    sentence = "This sandbox id is taken."


class UpstreamFault(Fault):
    """The sandbox, or a service that we depend on, broke a rule; answered with 502."""

    status = 502
    close_code = 1014
    sentence = "The sandbox gave no usable answer."


class UpstreamUnreachable(UpstreamFault):
    """No stream to the sandbox's service could be opened; try again later."""

    sentence = "The sandbox could not be reached."


class UpstreamTooSlow(UpstreamFault):
    """A deadline of the sandbox passed (RFC 9110 §15.6.5)."""

    status = 504
    sentence = "The sandbox took too long to answer."


class AnswerTooLarge(UpstreamFault):
    """A service's answer is larger than what was asked for may be; it was cut off."""


class DriverFault(UpstreamFault):
    """A sandbox could not be made, started or stopped; `str()` says why in a sentence for operators, without a secret."""

    sentence = "The sandbox does not start."


class GateFault(Fault):
    """We are at fault; answered with 500."""


class Unavailable(GateFault):
    """We cannot serve this now; try again later (RFC 9110 §15.6.4)."""

    status = 503
    close_code = 1013
    sentence = "The gate cannot serve this right now; try again shortly."


class SandboxStarting(Unavailable):
    """A sandbox is coming up and will answer in a while; the browser asks again by itself (RFC 9110 §10.2.3)."""

    sentence = "The sandbox is starting; this page tries again by itself in a moment."


class AuditUnavailable(Unavailable):
    """
    An event could not be recorded in time: do not do what it records. It may turn up in the log all the same.

    Its arguments say why, for the log; they are never shown.
    """

    sentence = "The gate cannot record this right now, so it was not done; try again shortly."


class KeysUnavailable(Unavailable):
    """The master keys are missing, wrong or lost: nothing can be opened or sealed; `IKeyring.state` says why."""


class SealBroken(GateFault):
    """A sealed value is not what it was when it was sealed, or not where it was; which of them is never said."""


class NoUserKey(GateFault):
    """This user has no data key: none was made yet, or it was destroyed, and with it all that it sealed."""


class IssuerUnavailable(Unavailable):
    """
    The issuer gave no answer that can be used, so nobody can be told apart; try again later.

    :ivar reason: a word for the audit log and for operators, e.g. `jwks.too_slow`; docs/sign-in.md lists them.
    """

    sentence = "Signing in does not work right now; try again shortly."

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class StatementRefused(GateFault):
    """A statement to the database reaches for something other than the rows it may see, or makes no sense: ours is the fault."""


class RowDamaged(GateFault):
    """A stored row fails its checks: the file was touched, or written by something else; nothing of it is used."""


@frozen
class Problem:
    """
    One mistake in the configuration.

    :ivar where: `file:line`, or the file alone.
    :ivar key: the dotted key, e.g. `deadlines.head`.
    :ivar what: what was found and what was expected, a full sentence.
    :ivar hint: what to do, or the empty string.
    """

    where: str
    key: str
    what: str
    hint: str = ""

    def __str__(self) -> str:
        text = f"{self.where}: {self.key}: {self.what}" if self.key else f"{self.where}: {self.what}"
        return f"{text} {self.hint}".rstrip()


class ConfigError(Exception):
    """
    The configuration cannot be used; the daemon exits with 78 (EX_CONFIG).

    :ivar problems: every mistake found, in the order of the file.
    """

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        super().__init__("\n".join(str(problem) for problem in problems))
        self.problems = problems
