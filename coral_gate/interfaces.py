"""
The seams: what each room asks of the others.

Everything that acts sits behind one of these; each has an in-memory provider that ships with the package and passes
the same contract suite as every other provider.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from zope.interface import Attribute, Interface

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import datetime

    from twisted.internet.interfaces import IProtocol, IProtocolFactory

    from coral_gate.audit.event import Event, Refusal
    from coral_gate.model import (
        ChannelKind,
        Condition,
        HTTPAnswer,
        Identity,
        KeyPurpose,
        KeyState,
        Role,
        SandboxId,
        SealedCredential,
        Secret,
        ServiceName,
        SignInAttempt,
        SignInStart,
        UserId,
        UserKey,
    )
    from coral_gate.records import (
        Because,
        Handoff,
        Principal,
        Revocation,
        Sandbox,
        SandboxSession,
        Session,
        SessionId,
        Ticket,
        User,
        UserRowId,
    )
    from coral_gate.visitor import OpenStream, Visitor

# -- sandboxes ---------------------------------------------------------------------------------------------------------


class ILink(Interface):
    """How the gate reaches one service of one sandbox: it gives a stream, never an address."""

    label = Attribute("str: shown to operators (`tcp`, `tls`, `unix`, ...); holds no address and no secret.")
    plaintext = Attribute("bool: bytes leave this machine unencrypted; a warning goes wherever the link is shown.")

    async def connect(factory: IProtocolFactory) -> IProtocol:
        """
        Open a stream and give it to a protocol that `factory` builds.

        The caller sets the deadline by cancelling; a cancelled attempt leaves nothing open.

        :raises UpstreamUnreachable: no stream could be opened, or what answered is not who it must be.
        """


class ISandboxDriver(Interface):
    """
    Makes sandboxes, and reaches their services.

    Each method may be called again after it was cut short, and then finishes what was begun. Who may call is settled before.
    """

    word = Attribute("str: its name in `Sandbox.driver` and in the configuration, such as static.")

    def link(sandbox: SandboxId, service: ServiceName) -> ILink | None:
        """The link to a service, or None where the sandbox or the service is not known here."""

    def condition(sandbox: SandboxId) -> Condition:
        """How a sandbox is, as last seen; cheap, for pages and lists. `UNKNOWN` where it is not known here."""

    async def provide(sandbox: SandboxId, origin: str, credentials: Mapping[ServiceName, Secret]) -> None:
        """
        Make a sandbox, or tell the one that is there its present credentials; a running one takes them over without a restart.

        :param origin: the sandbox's own web origin, e.g. `https://<id>.sandboxes.example`.
        :raises DriverFault: it could not be made; the sentence says why, and what was begun may be tried again or destroyed.
        """

    async def start(sandbox: SandboxId) -> None:
        """
        Start a sandbox; returns when its app answers. One that runs already is left as it is.

        :raises DriverFault: it did not come up; the sentence says why.
        """

    async def stop(sandbox: SandboxId) -> None:
        """Stop a sandbox gracefully, then by force; returns when nothing of it runs. A stopped one is left as it is."""

    async def destroy(sandbox: SandboxId) -> None:
        """Stop a sandbox and delete all that is kept of it; nothing happens where there is none."""


# -- stores ------------------------------------------------------------------------------------------------------------
#
# Each method may raise Unavailable (the store cannot answer now; nothing was changed), RowDamaged (a stored row fails its
# checks), and, where `by` is an AsAdministrator without that right at this moment, NotPermitted. A row that `by` may not
# see is answered exactly as one that does not exist. A digest or id that is there already is a Conflict.


class IUserStore(Interface):
    """Who may sign in, and what they may do."""

    async def find(who: UserId) -> User | None:
        """The user with this issuer and subject, or None."""

    async def get(by: Principal, user: UserRowId) -> User | None:
        """The user with this row id: a user sees themselves alone."""

    async def list(by: Principal, after: UserRowId | None = None, most: int = 100) -> tuple[User, ...]:
        """Users in the order of their row ids, for administrators and the operator; a user gets at most themselves."""

    async def allow(by: Principal, who: UserId, role: Role, at: datetime, email: str | None = None) -> User:
        """
        Let a person sign in from now on; one who is known already is returned as they are.

        The first administrator comes to be so, named by issuer and subject.

        :param by: `Capacity.SIGN_IN` (the configuration lets them in), `Capacity.OPERATOR` or an administrator.
        :raises NotPermitted: `by` may not; nothing was changed.
        """

    async def sign_in(who: UserId, email: str | None, name: str | None, at: datetime, hd: str | None = None) -> User | None:
        """
        Note a sign-in with what the issuer says, and give the user as they now are; None for one not allowed.

        A disabled user is returned as such, with nothing noted: ask `disabled` before making a session.
        """

    async def set_role(by: Principal, user: UserRowId, role: Role, because: Because) -> User | None:
        """
        Give a role; a change commits a revocation with it. None where there is no such user.

        :raises NotPermitted: `by` is neither an administrator nor the operator.
        :raises LastAdministrator: no administrator would be left, and `by` is not the operator.
        """

    async def set_disabled(by: Principal, user: UserRowId, disabled: bool, because: Because) -> User | None:
        """
        Disable a user, which ends their sessions in the same commit, or enable them. None where there is no such user.

        :raises NotPermitted: `by` is neither an administrator nor the operator.
        :raises LastAdministrator: no administrator would be left, and `by` is not the operator.
        """

    async def delete(by: Principal, user: UserRowId, because: Because) -> bool:
        """
        Forget a person: the row, with e-mail and name, and their sessions. False where there is no such user.

        :raises NotPermitted: `by` is neither an administrator nor the operator.
        :raises LastAdministrator: no administrator would be left, and `by` is not the operator.
        :raises StillInUse: the user has a sandbox that is not destroyed; nothing was changed.
        """


class ISessionStore(Interface):
    """Sessions and the sandbox sessions below them, by digests of their tokens. What ends is deleted."""

    async def create(session: Session, most: int) -> tuple[SessionId, ...]:
        """
        Keep a new session; where its user has more than `most` then, the ones seen least recently end (`limit`).

        :return: the sessions that ended for it.
        :raises NotPermitted: its user does not exist or is disabled.
        """

    async def find(digest: bytes) -> Session | None:
        """The session with this digest; it may be over: ask `is_over`, with what was seen since the last batch."""

    async def create_child(child: SandboxSession, most: int) -> bool:
        """
        Keep a new sandbox session; beyond `most` of this parent at this sandbox the oldest end, without a revocation.

        :return: False where its parent is not a session of the same user (any more); nothing is kept then.
        """

    async def find_child(digest: bytes) -> tuple[SandboxSession, Session] | None:
        """The sandbox session with this digest, with its parent, which says whether it is over."""

    async def touch_many(seen: Mapping[bytes, datetime]) -> None:
        """Write when the sessions and sandbox sessions with these digests were last seen; no time goes backwards."""

    async def end(digest: bytes, because: Because) -> bool:
        """End the session or sandbox session with this digest, with its children and hand-offs, in one commit."""

    async def end_by_id(by: Principal, session: SessionId, because: Because) -> bool:
        """End a session by what lists show: a user their own, an administrator anyone's."""

    async def end_all(by: Principal, user: UserRowId, because: Because, keep: SessionId | None = None) -> tuple[SessionId, ...]:
        """End a user's sessions but the one to keep; gives those that ended, the newest first. One revocation for each."""

    async def list(by: Principal, user: UserRowId) -> tuple[Session, ...]:
        """A user's sessions, the newest first; some may be over and not yet purged."""

    async def opened(digest: bytes) -> tuple[SandboxId, ...]:
        """The sandboxes on whose origins the session with this digest has sandbox sessions, in order, each once."""

    async def purge(now: datetime, most: int = 500) -> int:
        """End sessions that are over (`expired`), at most so many in one commit; returns how many."""


class IHandoffStore(Interface):
    """One-time codes that carry a session over to a sandbox's origin."""

    async def put(handoff: Handoff) -> bool:
        """Keep a code until it is taken or too old; False, and nothing kept, where its session is not one of its user."""

    async def take(digest: bytes, now: datetime) -> Handoff | None:
        """Take a code out, spent whatever is judged about it later: of any number of takers one gets it. None if too old."""

    async def purge(now: datetime) -> int:
        """Delete codes that are too old; returns how many."""


class ITicketStore(Interface):
    """Tickets until they are taken or too old."""

    async def put(ticket: Ticket) -> bool:
        """Keep a ticket until it is taken or too old; False, and nothing kept, where its session is not one of its user."""

    async def take(digest: bytes, now: datetime) -> Ticket | None:
        """Take a ticket out, spent whatever is judged about it later: of any number of takers one gets it. None if too old."""

    async def purge(now: datetime) -> int:
        """Delete tickets that are too old; returns how many."""


class ISandboxStore(Interface):
    """Whose sandbox is whose, and the tombstones of those destroyed."""

    async def find(by: Principal, sandbox: SandboxId) -> Sandbox | None:
        """The sandbox, or its tombstone; a user finds their own alone."""

    async def list(by: Principal, owner: UserRowId, destroyed: bool = False) -> tuple[Sandbox, ...]:
        """An owner's sandboxes, the oldest first; with `destroyed`, their tombstones instead."""

    async def put(by: Principal, sandbox: Sandbox) -> Sandbox:
        """
        Keep a new sandbox, or the new name and state of one that is there; owner, driver and creation never change.

        :raises SandboxIdTaken: the id is another owner's or a tombstone's; nothing was changed.
        :raises NotPermitted: `by` may not keep a sandbox for this owner.
        """

    async def tombstone(by: Principal, sandbox: SandboxId, because: Because) -> bool:
        """Turn a sandbox into its tombstone, with a revocation; False where there is none, or it is one already."""

    async def lock(by: Principal, sandbox: SandboxId, why: str | None, because: Because) -> Sandbox | None:
        """
        Lock a sandbox, or give it back; a change commits a revocation with it. None where there is no such sandbox.

        :param why: in words for its owner, 1 to 200 printable characters; None lifts the lock.
        :raises NotPermitted: `by` is neither an administrator nor the operator.
        :raises ValueError: the words are too many, or none.
        """

    async def purge(now: datetime) -> int:
        """Delete tombstones older than `TOMBSTONE_DAYS`; returns how many."""


class IRevocationLog(Interface):
    """What was taken away, numbered: each number was committed together with its change, by whichever process."""

    async def last() -> int:
        """The highest number given so far, 0 before the first; cheap enough to ask every second."""

    async def since(seq: int, most: int = 1000) -> tuple[Revocation, ...] | None:
        """
        The revocations after a number, in order.

        None where some of them are forgotten, or the number was never given (the store was restored from a backup):
        then trust no cached answer, and go on from `last`.
        """

    async def forget(before: datetime) -> int:
        """
        Forget revocations from before a time, but never the last one; returns how many.

        Keep them for longer than any node may be away.
        """


# -- channels ----------------------------------------------------------------------------------------------------------


class ITicketValidator(Interface):
    """Says whether the ticket that a browser brings opens what it wants to open."""

    async def spend(token: bytes | None, visitor: Visitor, sandbox: SandboxId, channel: ChannelKind, origin: bytes, address: str) -> None:
        """
        Spend a ticket: it is taken out first and judged then, so that one that is refused is spent too.

        :param token: as the browser sent it; None where it sent none.
        :param origin: the Origin field of the upgrade.
        :raises TicketRefused: it is not one, was spent, is too old, or is for another session, sandbox, channel or origin; all alike.
        :raises Unavailable: the store or the audit log cannot say; nothing may be opened.
        """


class IStreams(Interface):
    """Every stream that is open, until it ends; who loses a right loses their streams."""

    async def open(visitor: Visitor, sandbox: SandboxId, channel: ChannelKind, address: str, cut: Callable[[int, str], None]) -> OpenStream:
        """
        Enter a stream; recorded before this returns.

        :param visitor: whose session it hangs on.
        :param cut: called at most once with a WebSocket close code and a reason for the person; end the stream then, and say
            so with `closed`, also if it is called before anything was opened.
        :raises TooMany: this session or sandbox has as many streams as it may.
        :raises NotPermitted: the session has ended meanwhile.
        :raises AuditUnavailable: it could not be recorded; open nothing.
        """

    def closed(stream: OpenStream, code: int) -> None:
        """
        Take a stream out. Nothing happens where it is out already.

        :param code: the close code that the browser was given.
        """


# -- custody -----------------------------------------------------------------------------------------------------------


class IKeyring(Interface):
    """The master keys, by version; one of them is current. They wrap users' data keys and nothing else, and never leave."""

    def state() -> KeyState:
        """Whether the keys can be used now, and why not; cheap, for readiness."""

    def current() -> int:
        """
        The version that new wrapping is done under, 1 to 2**32 - 1.

        :raises KeysUnavailable: there is none to use.
        """

    async def wrap(key: Secret, holder: str, version: int) -> bytes:
        """
        Seal a data key under the current master key.

        :param holder: whose key it is; only the same name opens it again.
        :param version: the data key's; only the same version opens it again.
        :raises KeysUnavailable: the keys cannot be used.
        """

    async def unwrap(wrapped: bytes, holder: str, version: int) -> Secret:
        """
        Open what `wrap` gave, under whichever master key version it was wrapped.

        :raises KeysUnavailable: the keys cannot be used, or this version is not among them.
        :raises SealBroken: it was not wrapped by these keys, for this holder and version.
        """

    def wrapped_under(wrapped: bytes) -> int:
        """
        The master key version that `wrap` used, to see whether it is still the current one.

        :raises SealBroken: `wrap` gave no such thing.
        """


class IUserKeys(Interface):
    """Each user's data key, wrapped, apart from every database and dump; destroying it destroys what it sealed."""

    async def ensure(owner: UserId) -> None:
        """
        Make a data key for a user who has none.

        :raises KeysUnavailable: the master keys, or the store of wrapped keys, cannot be used.
        :raises AuditUnavailable: it could not be recorded, and was not made.
        """

    async def subkey(owner: UserId, purpose: KeyPurpose) -> UserKey:
        """
        The user's key for one purpose; read anew each time, so that destruction counts at once.

        :raises NoUserKey: the user has no data key.
        :raises KeysUnavailable: the master keys, or the store of wrapped keys, cannot be used.
        :raises SealBroken: the stored key was changed.
        """

    async def destroy(owner: UserId, by: UserId | None = None) -> bool:
        """
        Destroy a user's data key; when this returns, it is gone from stable storage. False if there was none.

        :param by: who asked for it; None is the daemon itself.
        :raises KeysUnavailable: the store cannot be used, or an escrow copy must be made and the master keys cannot be
            used; the key is still there, or going: try again.
        :raises AuditUnavailable: it could not be recorded, and nothing was changed.
        """


class ICredentialStore(Interface):
    """
    Rows of sealed credentials, at most one per sandbox and service. A row is there for its owner alone.

    Who replaces or deletes one commits a revocation with it, so that whatever another process keeps of it is dropped.
    """

    async def put(row: SealedCredential, replaces: int | None) -> bool:
        """
        Write a row, if the stored one is still the one that the writer saw.

        :param replaces: the version that the row replaces, or None where there must be none of any owner.
        :return: whether it was written; False changes nothing: read again and retry.
        """

    async def find(owner: UserId, sandbox: SandboxId, service: ServiceName) -> SealedCredential | None:
        """The row, or None where there is none, or it is another owner's."""

    async def list(owner: UserId, sandbox: SandboxId) -> tuple[SealedCredential, ...]:
        """This owner's rows of a sandbox, in the order of the services' names."""

    async def delete(owner: UserId, sandbox: SandboxId, service: ServiceName) -> bool:
        """Delete the row; False where there is none, or it is another owner's."""


class ICredentials(Interface):
    """Opens credentials, each for exactly its sandbox."""

    async def open(owner: UserId, sandbox: SandboxId, service: ServiceName) -> Secret | None:
        """
        The credential in the clear, or None where none is set. Reveal it where it goes on the wire, and keep it no longer.

        :param owner: the sandbox's owner, as the sandbox's own row says.
        :raises KeysUnavailable: the master keys cannot be used, not even for what was opened before.
        :raises NoUserKey: the owner's data key was destroyed.
        :raises SealBroken: the row was changed or moved.
        :raises Unavailable: the opening could not be recorded, and did not happen.
        """

    def kept(owner: UserId, sandbox: SandboxId, service: ServiceName) -> Secret | None:
        """What `open` gave less than a minute ago and nothing has dropped since, or None: then call `open`."""

    def drop(sandbox: SandboxId) -> None:
        """Forget what was opened for a sandbox; call it when it is locked or destroyed, or another node changed its credential."""

    def drop_all() -> None:
        """Forget everything opened; call it at a lock of everything, and when pushed revocations may have been missed."""

# -- identity ----------------------------------------------------------------------------------------------------------


class IIdentityProvider(Interface):
    """Says who a person is, by sending their browser to an issuer and judging what it brings back."""

    async def begin(
        redirect_uri: str,
        browser_digest: bytes,
        return_to: str = "/",
        max_age_s: int | None = None,
        prompt: str | None = None,
    ) -> SignInStart:
        """
        Begin a sign-in; nothing is kept here: the caller stores the attempt, then redirects.

        :param redirect_uri: the gate's callback, exactly as registered at the issuer.
        :param browser_digest: SHA-256 of the browser's pre-login cookie.
        :param return_to: kept in the attempt for the caller, who has checked it.
        :param max_age_s: how old the proof of identity may be; 0 asks for a new one (OpenID Connect Core 1.0 §3.1.2.1).
        :param prompt: `login`, `consent` or `select_account`.
        :raises IssuerUnavailable: the issuer gave no usable answer; try again later.
        """

    async def finish(attempt: SignInAttempt, callback_query: bytes, browser_digest: bytes) -> Identity:
        """
        Judge what a browser brought back; whoever is returned may sign in.

        :param attempt: already taken from its store, so that it is spent whatever comes out.
        :param callback_query: the raw query of the callback, without `?`.
        :param browser_digest: SHA-256 of the pre-login cookie that came with it.
        :raises SignInRefused: it proves nothing, or this person may not sign in.
        :raises IssuerUnavailable: the issuer gave no usable answer; the person starts anew later.
        """


class ISignInAttempts(Interface):
    """Keeps attempts to sign in until they return, are too old, or are crowded out by newer ones."""

    async def put(attempt: SignInAttempt) -> None:
        """
        Keep an attempt until its `expires_at`.

        :raises Unavailable: it could not be kept; do not send the browser away.
        """

    async def take(state_digest: bytes) -> SignInAttempt | None:
        """
        Take an attempt out, whatever is judged about it later: of any number of takers one gets it.

        :raises Unavailable: the store cannot say; nobody got it.
        """


class IHTTPClient(Interface):
    """
    Asks a service that we depend on: one request, one whole answer, within one deadline.

    Redirects are answers like any other and never followed; no cookie and no compressed content is taken.
    """

    async def get(url: str, fields: Sequence[tuple[bytes, bytes]]) -> HTTPAnswer:
        """
        Ask with GET.

        :raises UpstreamUnreachable: no connection, or it broke.
        :raises UpstreamTooSlow: the deadline passed.
        :raises AnswerTooLarge: the answer passed its limit and was cut off.
        :raises UpstreamFault: what came is not a whole HTTP answer that we take.
        """

    async def post(url: str, fields: Sequence[tuple[bytes, bytes]], body: bytes) -> HTTPAnswer:
        """Ask with POST; raises as `get` does."""


# -- audit -------------------------------------------------------------------------------------------------------------


class IAuditSink(Interface):
    """
    Where decisions are recorded.

    Record, before it takes effect, whatever opens or changes something and whatever is refused to someone we know;
    count what a session that is open already does besides, and what is refused to strangers.
    """

    async def record(event: Event) -> None:
        """
        Record an event; when this returns, it outlives a crash.

        The order of records is the order of the calls. Cancelling stops the wait, not the recording.

        :raises AuditUnavailable: it may not have been recorded; do not do what it records.
        """

    def count_allowed(session: str, sandbox: SandboxId, who: UserId, address: str) -> None:
        """
        Count a further allowed request of a session to a sandbox; costs an increment, works while nothing can be recorded.

        One `request.counted` a minute says how many; a crash loses at most that minute.

        :param session: the session's label.
        """

    def count_refused(kind: type[Refusal], address: str, reason: str) -> None:
        """
        Count a refusal to someone we do not know; works while nothing can be recorded.

        One event a second says how many, for each kind, reason and address (of IPv6 the /64); of too many different
        ones, one event a minute for each kind says how many more.

        :param reason: a machine word.
        :raises ValueError: the reason is none.
        """

    def ready() -> str | None:
        """None if an event can be recorded now, as far as is known; else why not, a sentence for operators."""
