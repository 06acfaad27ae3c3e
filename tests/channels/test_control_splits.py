"""What a sandbox sends arrives as it was said, however it was cut on the way."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from coral_gate.channels.websocket_frames import PING, TEXT, FrameReader, Message, frame
from tests.channels.control_table import MOST, Table

_FRAGMENTS = st.lists(st.integers(0, 300), min_size=1, max_size=4)


def _octets(messages: list[list[int]], pings: list[bool]) -> bytes:
    """Messages in fragments of these lengths, with a ping after some fragments."""
    out = []
    asked = iter(pings)
    for fragments in messages:
        for number, length in enumerate(fragments):
            last = number == len(fragments) - 1
            out.append(frame(0 if number else TEXT, b"%c" % (97 + number) * length, fin=last))
            if next(asked, False):
                out.append(frame(PING, b"?"))
    return b"".join(out)


def _whole_frames(octets: bytes) -> bool:
    """Whether these are frames of which each is whole."""
    at = 0
    while at < len(octets):
        length, start = octets[at + 1], at + 2
        if length > 125:
            start += 2
            length = int.from_bytes(octets[at + 2 : start])
        at = start + length
    return at == len(octets)


class SplitTests(SynchronousTestCase):
    """Frames that come whole pass as they are, and those that come in pieces as fragments; the messages are the same."""

    @settings(max_examples=60, deadline=None)
    @given(st.lists(_FRAGMENTS, max_size=5), st.lists(st.booleans(), max_size=12), st.lists(st.integers(1, 400), min_size=1, max_size=30))
    def test_same_messages(self, messages: list[list[int]], pings: list[bool], cuts: list[int]) -> None:
        """Any cutting gives the same messages, in frames of which each is whole."""
        table = Table()
        table.connected()
        octets, expected = _octets(messages, pings), [b"".join(b"%c" % (97 + n) * size for n, size in enumerate(one)) for one in messages]
        heard, at = FrameReader(False, MOST, MOST, whole=True), 0
        for cut in [*cuts, len(octets)]:
            table.sandbox_sends(octets[at : at + cut])
            at += cut
            told = table.wire.take()
            self.assertTrue(_whole_frames(told), "half a frame was sent")
            for event in heard.feed(told):
                assert isinstance(event, Message)
                self.assertEqual(event.payload, expected.pop(0))
        self.assertEqual(expected, [])
