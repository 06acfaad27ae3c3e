"""
The whole corpus of requests, class by class.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from . import (
    chunks,
    connection,
    controls,
    dropped,
    framing,
    hosts,
    lines,
    lookalikes,
    methods,
    pipelines,
    reframing,
    sizes,
    splits,
    targets,
    versions,
)
from .case import Case

FAMILIES: dict[str, Callable[[bytes], Iterator[Case]]] = {
    module.__name__.rpartition(".")[2]: module.cases
    for module in (
        framing,
        chunks,
        reframing,
        lines,
        controls,
        hosts,
        targets,
        methods,
        versions,
        sizes,
        lookalikes,
        dropped,
        connection,
        pipelines,
        splits,
    )
}
"""The classes of attack, by name."""


def cases(host: bytes) -> Iterator[Case]:
    """
    Every case; of those that send the same bytes in the same segments, the first.

    :param host: the authority of a sandbox origin that the gate serves, with its port.
    """
    sent = set()
    for family in FAMILIES.values():
        for case in family(host):
            if (case.payload, case.cuts) not in sent:
                sent.add((case.payload, case.cuts))
                yield case
