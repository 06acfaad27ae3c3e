"""The steps, in their order. One more is one more function in `STEPS`."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable
from urllib.parse import unquote

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from tools.demo.check.browser import Browser, Closed, WebSocket
from tools.demo.check.claw import Claw
from tools.demo.running import Demo

SESSION_ENDED = 4401
SCRIPT = {"Sec_Fetch_Site": "same-origin", "Sec_Fetch_Mode": "cors", "Sec_Fetch_Dest": "empty"}
"""What a browser says of a request that a page's own script makes (W3C Fetch Metadata)."""


class Walk:
    """What one step leaves to the next."""

    def __init__(self, demo: Demo) -> None:
        self.demo = demo
        self.browser = Browser()
        self.key = Ed25519PrivateKey.generate()
        self.build = ""
        self.claw: Claw | None = None

    @property
    def open_claw(self) -> Claw:
        """The control connection that an earlier step has opened."""
        assert self.claw is not None
        return self.claw

    def ticket(self) -> str:
        """A ticket for a control connection, as the sandbox's own page asks for one."""
        origin = self.demo.sandbox_origin
        fields = {"Origin": origin, "Content_Type": "application/json", "Accept": "*/*", **SCRIPT}
        answer = self.browser.ask(f"{origin}/.gate/ticket", "POST", '{"channel":"control"}', **fields)
        if answer.status != 200:
            raise RuntimeError(f"the ticket was answered with {answer.status}: {answer.body[:200]}")
        return str(json.loads(answer.body)["ticket"])

    def connect(self) -> WebSocket:
        """A WebSocket to the sandbox, opened with a ticket."""
        origin = self.demo.sandbox_origin
        cookies = self.browser.cookies(origin.removeprefix("https://"))
        return WebSocket(origin, cookies, ["coral.v1", f"coral.ticket.{self.ticket()}"])


def start(walk: Walk) -> None:
    """Everything starts."""
    walk.demo.begin()


def sign_in(walk: Walk) -> None:
    """With the word from the terminal, on to the sandbox's own page."""
    wanted = walk.demo.sandbox_origin + "/"
    url, _ = walk.browser.visit(wanted)
    onwards = re.search(r"[?&]next=([^&]+)", url)
    assert onwards is not None, f"not asked to sign in but sent to {url}"
    url, _ = walk.browser.visit(walk.demo.origin + "/sign-in/start", {"next": unquote(onwards[1])})
    url, answer = walk.browser.visit(url, {"user": "owner", "word": walk.demo.word()})
    assert (url, answer.status) == (wanted, 200), f"came out at {url} with {answer.status}"
    build = re.search(r'data-openclaw-control-ui-build-id="([^"]+?)(?:-[0-9a-f]{64})?"', answer.body)
    assert build is not None, "the page is not OpenClaw's"
    walk.build = build[1]


def websocket(walk: Walk) -> None:
    """A ticket opens a control connection, once; OpenClaw lets it in, and the gate's credential is not in its welcome."""
    walk.claw = Claw(walk.connect(), walk.key, walk.build)
    assert walk.claw.hello.get("type") == "hello-ok", "not welcomed"
    assert "deviceToken" not in json.dumps(walk.claw.hello), "the welcome carries a credential"


def chat(walk: Walk) -> None:
    """What the model drew for this very answer comes back."""
    said = walk.open_claw.say("Say something.")
    if walk.demo.stubbed:
        assert re.search(r"nonce-[0-9a-f]{16}\b", said), f"no nonce in the answer: {said[:300]}"


def reconnect(walk: Walk) -> None:
    """After the connection was cut, the same device comes in again with a new ticket, and finds its conversation."""
    walk.open_claw.cut()
    walk.claw = Claw(walk.connect(), walk.key, walk.build)
    history = json.dumps(walk.claw.call("chat.history", {"sessionKey": "main"}))
    assert "Say something." in history, "the conversation is gone"


def sign_out(walk: Walk) -> None:
    """Signing out cuts the open connection, with the code that says so."""
    url, answer = walk.browser.visit(walk.demo.origin + "/sign-out", {})
    assert answer.status == 200, f"{url} answered {answer.status}"
    try:
        walk.open_claw.wait_for_the_end()
    except Closed as closed:
        assert closed.code == SESSION_ENDED, f"it was {closed}"


def stop(walk: Walk) -> None:
    """Everything ends."""
    walk.demo.end(quiet=True)
    assert not walk.demo.running()


STEPS: tuple[Callable[[Walk], None], ...] = (start, sign_in, websocket, chat, reconnect, sign_out, stop)
LOOK: dict[Callable[[Walk], None], str] = {
    start: "the lines above",
    chat: "log of the sandbox, in its folder below {demo}/sandboxes",
}
"""What to look at where a step fails, if not the gate's log."""


def walk(demo: Demo) -> int:
    """Take each step; 0 where all held."""
    walking = Walk(demo)
    for step in STEPS:
        began = time.monotonic()
        try:
            step(walking)
        except Exception as why:
            told = str(why) or type(why).__name__
            print(f"{step.__name__.replace('_', '-')} … FAILED after {time.monotonic() - began:.1f} s: {told}", flush=True)
            print(f"  Look at: {LOOK.get(step, '{log}').format(log=demo.log, demo=demo.state.parent)}", flush=True)
            return 1
        print(f"{step.__name__.replace('_', '-')} … ok {time.monotonic() - began:.1f} s", flush=True)
    return 0
