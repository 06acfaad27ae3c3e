"""
A Control UI that was loaded without the gate's script: it is told, in its own protocol, to load itself anew.

Refusing it over HTTP would make it ask its user for a secret that nobody has.
"""

from __future__ import annotations

from collections.abc import Callable

from coral_gate.channels.openclaw import blocked_reload, challenge, connect_id
from coral_gate.channels.plan import Browser
from coral_gate.channels.websocket_frames import TEXT, Close, FrameFault, FrameReader, Message, close_frame, frame

_ANSWERED_WITHIN_S = 15.0
_REQUEST_BYTES = 64 * 1024


class OldTab:
    """
    The stream of such a page; no sandbox is behind it.

    :param nonce: for the challenge that the page waits for; it proves nothing here.
    :param at_s: seconds since the epoch.
    :param over: called once when it is over.
    """

    __slots__ = ("_browser", "_ended", "_over", "_reader")

    def __init__(self, browser: Browser, nonce: str, at_s: float, over: Callable[[], None]) -> None:
        self._browser = browser
        self._over = over
        self._ended = False
        self._reader = FrameReader(masked=True, most_frame_bytes=_REQUEST_BYTES, most_message_bytes=_REQUEST_BYTES, whole=True)
        browser.send(frame(TEXT, challenge(nonce, int(at_s * 1000))))
        browser.wake_in(_ANSWERED_WITHIN_S)

    def received(self, data: bytes) -> None:
        """The page's request to connect is answered; anything else ends it."""
        if self._ended:
            return
        try:
            events = self._reader.feed(data)
        except FrameFault as fault:
            self._end(fault.code, "")
            return
        for event in events:
            if isinstance(event, Close):
                self._end(1000, "")
                return
            if not isinstance(event, Message):
                continue
            request = connect_id(event.payload)
            if request is not None:
                self._browser.send(frame(TEXT, blocked_reload(request)))
            self._end(1008, "this page has to be loaded anew")
            return

    def full(self) -> None:
        """See `channels.plan.Stream`; there is nothing to hold back."""

    def drained(self) -> None:
        """See `channels.plan.Stream`."""

    def lost(self) -> None:
        """See `channels.plan.Stream`."""
        self._ended = True
        self._over()

    def woken(self) -> None:
        """It asks nothing."""
        self._end(1008, "nothing was asked")

    def leave(self) -> None:
        """See `channels.plan.Stream`."""
        self._end(1001, "")

    def _end(self, code: int, reason: str) -> None:
        if not self._ended:
            self._ended = True
            self._browser.send(close_frame(code, reason))
            self._browser.finish()
