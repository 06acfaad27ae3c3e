"""
The portal's pages, as elements that escape whatever they are given.
"""

from __future__ import annotations

from twisted.web.template import Element, Tag, TagLoader, renderer, tags


class Page(Element):
    """
    A whole page: head, banner, main part.

    :param title: plain text.
    :param main: the main part.
    """

    def __init__(self, title: str, main: Tag) -> None:
        super().__init__(loader=TagLoader(_LAYOUT))
        self._title = title
        self._main = main

    @renderer
    def title(self, request: object, tag: Tag) -> Tag:
        """The title in the window's frame."""
        return tag(f"{self._title} · Coral Gate")

    @renderer
    def main(self, request: object, tag: Tag) -> Tag:
        """The main part."""
        return tag(self._main)


_LAYOUT = tags.html(
    tags.head(
        tags.meta(charset="utf-8"),
        tags.meta(name="viewport", content="width=device-width, initial-scale=1"),
        tags.title(render="title"),
        tags.link(rel="stylesheet", href="/static/portal.css"),
        tags.link(rel="icon", type="image/svg+xml", href="/static/gate.svg"),
    ),
    tags.body(
        tags.a("Skip to content", href="#main", class_="skip"),
        tags.header(tags.a(tags.img(src="/static/gate.svg", alt="", width="28", height="28"), " Coral Gate", href="/", class_="brand")),
        Tag("main", attributes={"id": "main"}, render="main"),
    ),
    lang="en",
)


def welcome() -> Page:
    """The first page, for anyone."""
    return Page(
        "Welcome",
        tags.div(
            tags.h1("Your agents live behind this gate"),
            tags.p("Each person's agent runs in a machine of its own, which nothing can reach but through here."),
            class_="card",
        ),
    )
