"""A page as a browser's parser sees it: what is markup, and what is text."""

from __future__ import annotations

from html.parser import HTMLParser

from attrs import define, field

_VOID = frozenset({"meta", "link", "img", "input", "br"})


@define
class Node:
    """An element, with its attributes and the text right inside it."""

    name: str
    attributes: dict[str, str | None]
    text: str = ""


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.nodes: list[Node] = []
        self.odd: list[str] = []
        self._open: list[Node] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        node = Node(tag, dict(attrs))
        self.nodes.append(node)
        if tag not in _VOID:
            self._open.append(node)

    def handle_endtag(self, tag: str) -> None:
        if tag in _VOID:
            return
        if not self._open or self._open[-1].name != tag:
            self.odd.append(f"</{tag}>")
            return
        self._open.pop()

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        self.handle_endtag(tag)

    def handle_data(self, data: str) -> None:
        if self._open:
            self._open[-1].text += data

    def handle_comment(self, data: str) -> None:
        self.odd.append(f"<!--{data}-->")


@define
class Document:
    """
    A page.

    :ivar nodes: its elements, in order.
    :ivar odd: what is not as it should be: tags that do not match, comments.
    """

    nodes: list[Node] = field(factory=list)
    odd: list[str] = field(factory=list)

    @classmethod
    def of(cls, body: bytes | bytearray) -> Document:
        """Read a page."""
        reader = _Reader()
        reader.feed(bytes(body).decode("utf-8"))
        reader.close()
        return cls(reader.nodes, reader.odd + [f"<{node.name}> is never closed" for node in reader._open])

    @property
    def shape(self) -> list[tuple[str, tuple[str, ...]]]:
        """Its elements and the names of their attributes."""
        return [(node.name, tuple(node.attributes)) for node in self.nodes]

    def all(self, name: str) -> list[Node]:
        """The elements of a name."""
        return [node for node in self.nodes if node.name == name]

    @property
    def text(self) -> str:
        """All text."""
        return "\n".join(node.text for node in self.nodes)
