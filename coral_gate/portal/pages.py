"""
The portal's pages, as elements that escape whatever they are given.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from twisted.web.template import Element, Tag, TagLoader, renderer, tags

from coral_gate.model import SandboxState
from coral_gate.portal.browsers import browser_name
from coral_gate.portal.services import Connected, SandboxCard
from coral_gate.records import Session
from coral_gate.visitor import Visitor


class Page(Element):
    """
    A whole page: head, banner, main part.

    :param title: plain text.
    :param main: the main part.
    :param visitor: who is signed in; every page then shows it, and the way out.
    :param goes_to: where a browser that shows this page goes on to by itself.
    :param middle: it says one thing, in the middle of the window.
    """

    def __init__(self, title: str, *main: Tag, visitor: Visitor | None = None, goes_to: str = "", middle: bool = False) -> None:
        super().__init__(loader=TagLoader(_LAYOUT))
        self._title = title
        self._main = main
        self._visitor = visitor
        self._goes_to = goes_to
        self._middle = middle

    @renderer
    def title(self, request: object, tag: Tag) -> Tag:
        """The title in the window's frame."""
        return tag(f"{self._title} · Coral Gate")

    @renderer
    def onwards(self, request: object, tag: Tag) -> Tag | str:
        """The way on."""
        return tags.meta(**{"http-equiv": "refresh", "content": f"0;url={self._goes_to}"}) if self._goes_to else ""

    @renderer
    def main(self, request: object, tag: Tag) -> Tag:
        """The main part."""
        return tag(*self._main, class_="middle") if self._middle else tag(*self._main)

    @renderer
    def account(self, request: object, tag: Tag) -> Tag | str:
        """Who is signed in, and the way out."""
        if self._visitor is None:
            return ""
        return tag(
            tags.span(shown_name(self._visitor), class_="who"),
            tags.a("Sessions", href="/sessions"),
            _button("/sign-out", "Sign out"),
        )


def shown_name(visitor: Visitor) -> str:
    """What a person is called on pages."""
    return visitor.name or visitor.email or visitor.who.sub


def _button(action: str, *text: str | Tag, hidden: tuple[tuple[str, str], ...] = (), primary: bool = False) -> Tag:
    fields = [tags.input(type="hidden", name=name, value=value) for name, value in hidden]
    button = tags.button(*text, type="submit", class_="primary") if primary else tags.button(*text, type="submit")
    return tags.form(*fields, button, method="post", action=action)


def _unseen(text: str) -> Tag:
    """For those who hear the page: which of several alike it is."""
    return tags.span(text, class_="unseen")


_LAYOUT = tags.html(
    tags.head(
        tags.meta(charset="utf-8"),
        tags.meta(name="viewport", content="width=device-width, initial-scale=1"),
        tags.title(render="title"),
        tags.transparent(render="onwards"),
        tags.link(rel="stylesheet", href="/static/portal.css"),
        tags.link(rel="icon", type="image/svg+xml", href="/static/gate.svg"),
    ),
    tags.body(
        tags.a("Skip to content", href="#main", class_="skip"),
        tags.header(
            tags.a(tags.img(src="/static/gate.svg", alt="", width="28", height="28"), " Coral Gate", href="/", class_="brand"),
            Tag("nav", attributes={"aria-label": "Account"}, render="account"),
        ),
        Tag("main", attributes={"id": "main"}, render="main"),
    ),
    lang="en",
)


def sign_in(issuer: str, next_path: str) -> Page:
    """
    The way in.

    :param issuer: what people sign in with.
    :param next_path: where the person wanted to go.
    """
    return Page(
        "Sign in",
        tags.div(
            tags.h1("Your agents live behind this gate"),
            tags.p("Each person's agent runs in a machine of its own, which nothing can reach but through here."),
            _button("/sign-in/start", f"Sign in with {issuer}", hidden=(("next", next_path),), primary=True),
            class_="card",
        ),
        middle=True,
    )


STATES = {
    SandboxState.RUNNING: "Running",
    SandboxState.STARTING: "Starting",
    SandboxState.STOPPING: "Stopping",
    SandboxState.STOPPED: "Stopped; it starts when you open it",
    SandboxState.FAILED: "Not running",
    SandboxState.UNKNOWN: "Not there at the moment",
}
"""How a sandbox is, for a person."""


def home(visitor: Visitor, sandboxes: Sequence[SandboxCard]) -> Page:
    """The first page of somebody who is signed in: their sandboxes, and what is connected to them now."""
    cards = [_card(sandbox) for sandbox in sandboxes] or [_empty()]
    script = tags.script(src="/static/home.js", defer="")
    told = tags.p("", id="told", class_="unseen", role="status")
    return Page("Your sandboxes", tags.h1("Your sandboxes"), *cards, told, script, visitor=visitor)


def _card(sandbox: SandboxCard) -> Tag:
    apart = {"target": "_blank", "rel": "noopener noreferrer"}
    way_in = tags.a("Open", _unseen(f" {sandbox.name}"), href=sandbox.url + "/", class_="primary", **apart)
    badge = tags.span(sandbox.name[:1].upper(), class_="badge", **{"aria-hidden": "true"})
    told = tags.p(tags.span(told_state(sandbox), class_="word"), class_="state", **{"data-state": state_word(sandbox)})
    row = tags.div(badge, tags.div(tags.h2(sandbox.name), told), way_in, class_="row")
    rows = [_connected(one) for one in sandbox.connected]
    listed = tags.ul(*rows, class_="plain open", **{"aria-label": f"Connected to {sandbox.name} now"})
    return tags.div(row, listed, class_="card", **{"data-sandbox": sandbox.id})


def state_word(sandbox: SandboxCard) -> str:
    """How a sandbox is, for the page's style."""
    return sandbox.condition.state.value if sandbox.locked is None else "locked"


def told_state(sandbox: SandboxCard) -> str:
    """How a sandbox is, and why."""
    if sandbox.locked is not None:
        return f"Locked: {sandbox.locked}"
    word, why = STATES[sandbox.condition.state], sandbox.condition.why
    return f"{word}: {why}" if why else word


def told_connected(one: Connected) -> str:
    """What is open, and from where."""
    return f"{one.what}, from {one.address or 'an unknown address'}, since {one.since:%H:%M} UTC"


def _connected(one: Connected) -> Tag:
    end = _button("/streams/cut", "Disconnect", hidden=(("stream", one.label),))
    return tags.li(tags.span(told_connected(one), class_="soft"), end, class_="row", **{"data-stream": one.label})


def _empty() -> Tag:
    return tags.div(
        tags.h2("No sandbox yet"),
        tags.p("When there is one for you, it is here. Your administrator makes it."),
        class_="card",
    )


def sessions(visitor: Visitor, living: Sequence[Session]) -> Page:
    """A visitor's sessions, each with a way to end it."""
    rows = [_session_row(session, session.id == visitor.session) for session in living]
    others = [tags.p(_button("/sessions/end-others", "End all others"), class_="below")] if len(living) > 1 else []
    listed = tags.div(tags.ul(*rows, class_="plain"), class_="card")
    return Page("Sessions", tags.h1("Where you are signed in"), listed, *others, visitor=visitor)


def _session_row(session: Session, this: bool) -> Tag:
    name = browser_name(session.label.agent)
    end = _button("/sessions/end", "End", _unseen(f" the session of {name}"), hidden=(("session", session.id),))
    told = (("From ", session.label.address), ("Signed in ", _when(session.created_at)), ("Last used ", _when(session.last_seen_at)))
    lines = [tags.p(*line, class_="soft") for line in told]
    return tags.li(tags.div(tags.h2(name), *lines), tags.span("This browser", class_="here") if this else end, class_="row")


def _when(at: datetime) -> Tag:
    return tags.time(f"{at.day} {at:%b %Y, %H:%M} UTC", datetime=f"{at:%Y-%m-%dT%H:%M:%SZ}")


def signed_out() -> Page:
    """After signing out."""
    return Page(
        "Signed out",
        tags.div(
            tags.h1("You are signed out"),
            tags.p("What your sandboxes kept in this browser has been cleared."),
            tags.a("Sign in again", href="/sign-in", class_="primary"),
            class_="card",
        ),
        middle=True,
    )


def on_the_way(location: str) -> Page:
    """
    A step between: the browser goes on by itself.

    Not a redirect: a browser holds the redirects of a form against the page's `form-action` (CSP3 §6.4.1), and where an
    issuer's own redirects lead is its business.
    """
    link = tags.p(tags.a("Go on", href=location))
    return Page("One moment", tags.div(tags.h1("One moment…"), link, class_="card"), goes_to=location, middle=True)


def apology(title: str, sentence: str, visitor: Visitor | None = None) -> Page:
    """Something is not possible, with a way back."""
    back = tags.a("Back to the start", href="/", class_="primary")
    return Page(title, tags.div(tags.h1(title), tags.p(sentence), back, class_="card"), visitor=visitor, middle=True)
