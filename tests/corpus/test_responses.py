"""The corpus of answers is what it says."""

from __future__ import annotations

from collections import Counter

from twisted.trial.unittest import SynchronousTestCase

from tests.corpus.response import Outcome, Response
from tests.corpus.responses import FAMILIES, responses

_FEWEST = {"framing": 260, "heads": 310, "fields": 100, "floods": 20}


class ResponseCorpusTests(SynchronousTestCase):
    """The cases and their names."""

    all: list[Response]

    def setUp(self) -> None:
        self.all = list(responses())

    def test_names(self) -> None:
        """Each case has a name of its own, which begins with its class."""
        self.assertEqual([], [name for name, times in Counter(case.name for case in self.all).items() if times > 1])
        self.assertEqual([], [case.name for case in self.all if case.family not in FAMILIES])

    def test_count(self) -> None:
        """Each class has at least as many distinct cases as it once had."""
        self.assertEqual(len(self.all), len({(case.pieces, case.endless, case.ends, case.method) for case in self.all}))
        counted = Counter(case.family for case in self.all)
        self.assertEqual(set(FAMILIES), set(_FEWEST))
        self.assertEqual({}, {family: counted[family] for family, fewest in _FEWEST.items() if counted[family] < fewest})

    def test_outcomes(self) -> None:
        """Each case has an outcome and a reason; what must not pass at all says so alone."""
        for case in self.all:
            self.assertTrue(case.outcomes, case.name)
            self.assertGreater(len(case.why), 20, case.name)
            if Outcome.PASSED in case.outcomes:
                self.assertEqual(case.outcomes, {Outcome.PASSED}, case.name)
            self.assertEqual(Outcome.ENDLESS in case.outcomes and not case.endless, False, case.name)
