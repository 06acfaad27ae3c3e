"""One-time words."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from coral_gate.identity.local_word import OneTimeWord, TooManyTries, pronounceable
from tests.identity.wall_clock import WallClock


class WordTests(SynchronousTestCase):
    """`pronounceable` and `OneTimeWord`."""

    def test_examples_of_the_paper(self) -> None:
        """The addresses in arXiv:0901.4016."""
        for address, words in (("127.0.0.1", "lusab-babad"), ("63.84.220.193", "gutih-tugad"), ("147.67.119.2", "natag-lisaf")):
            self.assertEqual(pronounceable(bytes(int(part) for part in address.split("."))), words)

    @given(st.binary(min_size=8, max_size=8), st.binary(min_size=8, max_size=8))
    def test_no_two_alike(self, one: bytes, other: bytes) -> None:
        """Different bytes are different words: nothing of the chance is lost."""
        self.assertEqual(pronounceable(one) == pronounceable(other), one == other)
        self.assertRegex(pronounceable(one), r"\A[a-z]{5}(-[a-z]{5}){3}\Z")

    def test_a_clock_that_is_set_back(self) -> None:
        """Nobody is shut out for longer than a minute by it."""
        clock, words = WallClock(), list[str]()
        word = OneTimeWord(words.append, lambda size: b"\1" * size, clock)
        for _ in range(5):
            word.spend("wrong")
        self.assertRaises(TooManyTries, word.spend, words[0])
        clock.advance(-3600)
        self.assertTrue(word.spend(words[0]))

    def test_random(self) -> None:
        """Eight bytes of chance make one word."""
        sizes: list[int] = []

        def entropy(size: int) -> bytes:
            sizes.append(size)
            return bytes(size)

        OneTimeWord(lambda word: None, entropy, WallClock())
        self.assertEqual(sizes, [8])
