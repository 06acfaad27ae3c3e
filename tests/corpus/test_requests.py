"""The corpus of requests is what it says."""

from __future__ import annotations

from collections import Counter

from twisted.trial.unittest import SynchronousTestCase

from tests.corpus.case import Case, Verdict
from tests.corpus.mutants import mutants, seeds
from tests.corpus.requests import FAMILIES, cases

_HOST = b"a" * 26 + b".sbx.localhost:8443"

_FEWEST = {
    "framing": 450, "chunks": 250, "reframing": 600, "lines": 250, "controls": 700, "hosts": 120, "targets": 250, "methods": 90, "versions": 70,
    "sizes": 50, "lookalikes": 140, "dropped": 250, "connection": 90, "pipelines": 80, "splits": 300,
}  # fmt: skip


class RequestCorpusTests(SynchronousTestCase):
    """The cases and their names."""

    all: list[Case]

    def setUp(self) -> None:
        self.all = list(cases(_HOST))

    def test_names(self) -> None:
        """Each case has a name of its own, which begins with its class."""
        twice = [name for name, times in Counter(case.name for case in self.all).items() if times > 1]
        self.assertEqual([], twice)
        self.assertEqual([], [case.name for case in self.all if case.family not in FAMILIES])

    def test_distinct(self) -> None:
        """No two cases send the same bytes in the same segments, so that their number is the number of inputs."""
        self.assertEqual(len(self.all), len({(case.payload, case.cuts) for case in self.all}))

    def test_count(self) -> None:
        """Each class has at least as many cases as it once had."""
        counted = Counter(case.family for case in self.all)
        self.assertEqual(set(FAMILIES), set(_FEWEST))
        self.assertEqual({}, {family: counted[family] for family, fewest in _FEWEST.items() if counted[family] < fewest})

    def test_same_each_time(self) -> None:
        """The corpus is the same on each run: a case that failed can be run again."""
        self.assertEqual(self.all, list(cases(_HOST)))

    def test_verdicts(self) -> None:
        """What is forwarded says as what; what is refused, denied or cut is not forwarded by its own words."""
        for case in self.all:
            if case.verdict in (Verdict.FORWARDED, Verdict.EITHER):
                self.assertTrue(case.seen, case.name)
            elif case.verdict is Verdict.DENIED:
                self.assertFalse(case.seen, case.name)
            self.assertNotIn(b"/SMUGGLED", [seen.target for seen in case.seen], case.name)

    def test_reasons(self) -> None:
        """Each case says which rule it tests, and nearly all say where it stands."""
        self.assertEqual([], [case.name for case in self.all if len(case.why) < 20])
        self.assertGreater(sum("RFC" in case.why for case in self.all), len(self.all) - 20)

    def test_cuts(self) -> None:
        """Segments are cut inside the payload, each after the one before."""
        for case in self.all:
            self.assertEqual(sorted(set(case.cuts)), list(case.cuts), case.name)
            self.assertTrue(all(0 < cut < len(case.payload) for cut in case.cuts), case.name)

    def test_host(self) -> None:
        """No host is built into it: the payloads follow the one that is given."""
        other = b"b" * 26 + b".sbx.localhost:1"
        mine = {case.name for case in self.all if _HOST in case.payload}
        theirs = {case.name for case in cases(other) if _HOST in case.payload}
        self.assertTrue(mine)
        self.assertEqual(set(), theirs)

    def test_mutants(self) -> None:
        """The same seed gives the same mutants, another gives others, and nearly each is a new input."""
        some = list(mutants(_HOST, 1, 500))
        self.assertEqual(some, list(mutants(_HOST, 1, 500)))
        self.assertNotEqual(some, list(mutants(_HOST, 2, 500)))
        self.assertGreater(len(set(some) - set(seeds(_HOST))), 450)
