"""Tables for people: columns as wide as what is in them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence


def lines(heads: Sequence[str], rows: Sequence[Sequence[object]]) -> Iterator[str]:
    """Each row on a line, below the heads; what cannot be printed is left out."""
    texts = [list(heads), *([_shown(cell) for cell in row] for row in rows)]
    widths = [max(len(row[column]) for row in texts) for column in range(len(heads))]
    for row in texts:
        yield "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()


def _shown(cell: object) -> str:
    return "".join(character for character in str(cell) if character.isprintable()) or "-"
