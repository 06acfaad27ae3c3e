"""The page of abuse cases names tests that exist."""

from __future__ import annotations

import importlib
import inspect
import re

from twisted.trial.unittest import SynchronousTestCase

from tests import ROOT

PAGE = ROOT / "docs" / "abuse-cases.md"
_NAME = re.compile(r"`(tests\.[A-Za-z0-9_.]+)`")


def found(name: str) -> object:
    """
    The test, class or module of a dotted name.

    :raises LookupError: there is none.
    """
    parts = name.split(".")
    for length in range(len(parts), 0, -1):
        try:
            here: object = importlib.import_module(".".join(parts[:length]))
        except ModuleNotFoundError:
            continue
        for part in parts[length:]:
            if not hasattr(here, part):
                raise LookupError(name)
            here = getattr(here, part)
        return here
    raise LookupError(name)


class PageTests(SynchronousTestCase):
    """docs/abuse-cases.md."""

    def test_every_test_exists(self) -> None:
        """Each row names a test, or a module of tests, which is there."""
        rows = [
            line
            for line in PAGE.read_text(encoding="utf-8").splitlines()
            if line.startswith("| ") and not line.startswith(("| somebody |", "| ---"))
        ]
        self.assertGreater(len(rows), 50)
        for row in rows:
            names = _NAME.findall(row)
            self.assertEqual(len(names), 1, row)
            test = found(names[0])
            self.assertTrue(inspect.ismodule(test) or names[0].rpartition(".")[2].startswith("test_"), row)

    def test_can_fail(self) -> None:
        """A name that is no test is found out."""
        for name in ("tests.edge.test_listener.RefusalTests.test_never_written", "tests.no_such_room.test_x", "tests.edge.no_module"):
            self.assertRaises(LookupError, found, name)
