"""
The portal's pages, as elements that escape whatever they are given.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from twisted.web.template import Element, Tag, TagLoader, renderer, tags

from coral_gate.portal.services import SandboxCard
from coral_gate.records import Session
from coral_gate.visitor import Visitor


class Page(Element):
    """
    A whole page: head, banner, main part.

    :param title: plain text.
    :param main: the main part.
    :param visitor: who is signed in; every page then shows it, and the way out.
    :param goes_to: where a browser that shows this page goes on to by itself.
    """

    def __init__(self, title: str, *main: Tag, visitor: Visitor | None = None, goes_to: str = "") -> None:
        super().__init__(loader=TagLoader(_LAYOUT))
        self._title = title
        self._main = main
        self._visitor = visitor
        self._goes_to = goes_to

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
        return tag(*self._main)

    @renderer
    def account(self, request: object, tag: Tag) -> Tag | str:
        """Who is signed in, and the way out."""
        if self._visitor is None:
            return ""
        return tag(
            tags.span(shown_name(self._visitor), class_="who"),
            tags.a("Sessions", href="/sessions"),
            _button("/sign-out", "Sign out", "quiet"),
        )


def shown_name(visitor: Visitor) -> str:
    """What a person is called on pages."""
    return visitor.name or visitor.email or visitor.who.sub


def _button(action: str, text: str, kind: str, *hidden: tuple[str, str]) -> Tag:
    fields = [tags.input(type="hidden", name=name, value=value) for name, value in hidden]
    return tags.form(*fields, tags.button(text, type="submit", class_=kind), method="post", action=action)


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
            _button("/sign-in/start", f"Sign in with {issuer}", "primary", ("next", next_path)),
            class_="card",
        ),
    )


def home(visitor: Visitor, sandboxes: Sequence[SandboxCard]) -> Page:
    """The first page of somebody who is signed in: their sandboxes."""
    cards = [_card(sandbox) for sandbox in sandboxes] or [_empty()]
    return Page("Your sandboxes", tags.h1("Your sandboxes"), *cards, visitor=visitor)


def _card(sandbox: SandboxCard) -> Tag:
    return tags.div(
        tags.h2(sandbox.name),
        tags.p(tags.a("Open", href=sandbox.url + "/", target="_blank", rel="noopener noreferrer", class_="primary")),
        class_="card",
    )


def _empty() -> Tag:
    return tags.div(
        tags.h2("No sandbox yet"),
        tags.p("When there is one for you, it is here. Your administrator makes it."),
        class_="card",
    )


def sessions(visitor: Visitor, living: Sequence[Session]) -> Page:
    """A visitor's sessions, each with a way to end it."""
    rows = [_session_row(session, session.id == visitor.session) for session in living]
    others = [_button("/sessions/end-others", "End all others", "quiet")] if len(living) > 1 else []
    return Page(
        "Sessions",
        tags.h1("Where you are signed in"),
        tags.div(
            tags.table(
                tags.thead(tags.tr(*(tags.th(text, scope="col") for text in ("Browser", "Address", "Signed in", "Last used", "")))),
                tags.tbody(*rows),
            ),
            *others,
            class_="card wide",
        ),
        visitor=visitor,
    )


def _session_row(session: Session, this: bool) -> Tag:
    way_out = tags.strong("This browser") if this else _button("/sessions/end", "End", "quiet", ("session", session.id))
    return tags.tr(
        tags.td(session.label.agent or "Unknown"),
        tags.td(session.label.address or "unknown"),
        tags.td(_when(session.created_at)),
        tags.td(_when(session.last_seen_at)),
        tags.td(way_out),
    )


def _when(at: datetime) -> Tag:
    return tags.time(f"{at:%Y-%m-%d %H:%M} UTC", datetime=f"{at:%Y-%m-%dT%H:%M:%SZ}")


def signed_out() -> Page:
    """After signing out."""
    return Page(
        "Signed out",
        tags.div(
            tags.h1("You are signed out"),
            tags.p("What your sandboxes kept in this browser has been cleared."),
            tags.p(tags.a("Sign in again", href="/sign-in", class_="primary")),
            class_="card",
        ),
    )


def on_the_way(location: str) -> Page:
    """
    A step between: the browser goes on by itself.

    Not a redirect: a browser holds the redirects of a form against the page's `form-action` (CSP3 §6.4.1), and where an
    issuer's own redirects lead is its business.
    """
    link = tags.p(tags.a("Go on", href=location))
    return Page("One moment", tags.div(tags.h1("One moment…"), link, class_="card"), goes_to=location)


def apology(title: str, sentence: str, visitor: Visitor | None = None) -> Page:
    """Something is not possible, with a way back."""
    back = tags.p(tags.a("Back to the start", href="/", class_="primary"))
    return Page(title, tags.div(tags.h1(title), tags.p(sentence), back, class_="card"), visitor=visitor)
