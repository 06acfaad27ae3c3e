"""
The seams: what each room asks of the others.

Everything that acts sits behind one of these; each has an in-memory provider that ships with the package and passes
the same contract suite as every other provider.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from zope.interface import Attribute, Interface

if TYPE_CHECKING:
    from collections.abc import Sequence

    from twisted.internet.interfaces import IProtocol, IProtocolFactory

    from coral_gate.model import (
        HTTPAnswer,
        Identity,
        KeyPurpose,
        KeyState,
        SandboxId,
        SealedCredential,
        Secret,
        ServiceName,
        SignInAttempt,
        SignInStart,
        UserId,
        UserKey,
    )

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
    """Makes sandboxes, and reaches their services."""

    def link(sandbox: SandboxId, service: ServiceName) -> ILink | None:
        """The link to a service, or None where the sandbox or the service is not known here."""


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


class IUserKeys(Interface):
    """Each user's data key, wrapped, apart from every database and dump; destroying it destroys what it sealed."""

    async def ensure(owner: UserId) -> None:
        """
        Make a data key for a user who has none.

        :raises KeysUnavailable: the master keys cannot be used.
        """

    async def subkey(owner: UserId, purpose: KeyPurpose) -> UserKey:
        """
        The user's key for one purpose; read anew each time, so that destruction counts at once.

        :raises NoUserKey: the user has no data key.
        :raises KeysUnavailable: the master keys cannot be used.
        :raises SealBroken: the stored key was changed.
        """

    async def destroy(owner: UserId) -> bool:
        """
        Destroy a user's data key; when this returns, it is gone from stable storage. False if there was none.

        :raises KeysUnavailable: an escrow copy must be made and the master keys cannot be used; nothing was changed.
        """


class ICredentialStore(Interface):
    """Rows of sealed credentials, at most one per sandbox and service. A row is there for its owner alone."""

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
