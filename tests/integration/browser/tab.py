"""
A person's browser and its tabs: what a person sees and types, and what scripts can find out.
"""

from __future__ import annotations

import base64
import json
import time
from pathlib import Path
from typing import Any

from attrs import define, field

from tests.integration.browser.devtools import PATIENCE_S, BrowserFault, Chromium, Told

_KEYS = {"Tab": (9, ""), "Enter": (13, "\r"), "Space": (32, " "), "Escape": (27, "")}
_PAUSE_S = 0.02


@define(eq=False)
class Tab:
    """
    One tab.

    :ivar target: its id, which stays when it goes elsewhere.
    """

    browser: Chromium
    target: str
    session: str = field(init=False)

    def __attrs_post_init__(self) -> None:
        self.session = self.browser.call("Target.attachToTarget", targetId=self.target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")
        self.call("Emulation.setFocusEmulationEnabled", enabled=True)

    def call(self, method: str, **params: object) -> Told:
        """A command about this tab."""
        return self.browser.call(method, self.session, **params)

    def heard(self, method: str) -> list[Told]:
        """What the browser has told about this tab by itself."""
        return [told["params"] for told in self.browser.tabs.get(self.session, []) if told["method"] == method]

    # -- going ---------------------------------------------------------------------------------------------------------

    def go(self, url: str) -> None:
        """Type an address, and wait until wherever it leads has loaded."""
        loads = len(self.heard("Page.loadEventFired"))
        self.call("Page.navigate", url=url)
        self.browser.wait(lambda: len(self.heard("Page.loadEventFired")) > loads, f"{url} loaded")

    def at(self, prefix: str, within_s: float = PATIENCE_S) -> None:
        """
        Wait until this tab is at an address that begins so, and loaded.

        :raises BrowserFault: it is not.
        """
        told = json.dumps(prefix)
        try:
            self.until(f"location.href.startsWith({told}) && document.readyState == 'complete'", within_s)
        except BrowserFault:
            raise BrowserFault(f"at {self.url}, not at {prefix}") from None

    @property
    def url(self) -> str:
        """Where it is."""
        return str(self.call("Target.getTargetInfo")["targetInfo"]["url"])

    def back(self) -> None:
        """The back button."""
        history = self.call("Page.getNavigationHistory")
        before = history["entries"][history["currentIndex"] - 1]
        self.call("Page.navigateToHistoryEntry", entryId=before["id"])

    # -- reading -------------------------------------------------------------------------------------------------------

    def ask(self, script: str) -> Any:  # Any: whatever JSON it is
        """
        What a script gives, or its promise.

        :raises BrowserFault: it throws, or the page went away meanwhile.
        """
        told = self.call("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True, userGesture=True)
        if "exceptionDetails" in told:
            raise BrowserFault(str(told["exceptionDetails"].get("exception", {}).get("description", told)))
        return told["result"].get("value")

    def until(self, script: str, within_s: float = PATIENCE_S) -> Any:  # as above
        """
        Ask again and again until the answer is true.

        :raises BrowserFault: it never was.
        """
        until = time.monotonic() + within_s
        while True:
            try:
                found = self.ask(script)
            except BrowserFault:
                found = None  # between two pages there is nobody to ask
            if found:
                return found
            if time.monotonic() > until:
                raise BrowserFault(f"never true: {script}; at {self.url}")
            time.sleep(_PAUSE_S)

    @property
    def text(self) -> str:
        """What a person reads."""
        return str(self.ask("document.body.innerText"))

    def complaints(self) -> list[str]:
        """What the console shows: breaches of a policy, errors of scripts, failed loads."""
        said = [f"{entry['entry']['source']}: {entry['entry']['text']}" for entry in self.heard("Log.entryAdded")]
        said += [str(told["exceptionDetails"]["text"]) for told in self.heard("Runtime.exceptionThrown")]
        return said

    def picture(self, file: Path) -> None:
        """Keep what it looks like."""
        file.write_bytes(base64.b64decode(self.call("Page.captureScreenshot", format="png")["data"]))

    # -- typing --------------------------------------------------------------------------------------------------------

    def press(self, key: str) -> None:
        """One key."""
        code, text = _KEYS[key]
        typed = {"key": key, "code": key, "windowsVirtualKeyCode": code}
        self.call("Input.dispatchKeyEvent", type="keyDown", **typed, **({"text": text} if text else {}))
        self.call("Input.dispatchKeyEvent", type="keyUp", **typed)

    def type(self, text: str) -> None:
        """Letters, where the focus is."""
        self.call("Input.insertText", text=text)

    def tab_to(self, text: str, most: int = 30) -> None:
        """
        Press Tab until what has the focus reads so.

        :raises BrowserFault: the keyboard does not get there.
        """
        for _ in range(most):
            self.press("Tab")
            if text in str(self.ask("document.activeElement == document.body ? '' : document.activeElement.innerText")):
                return
        raise BrowserFault(f"the keyboard does not reach {text!r}")

    def click(self, text: str) -> None:
        """Click on the first link or button that reads so."""
        self.until(f"[...document.querySelectorAll('a, button')].some(one => one.innerText.includes({json.dumps(text)}))")
        self.ask(f"[...document.querySelectorAll('a, button')].find(one => one.innerText.includes({json.dumps(text)})).click()")


@define(eq=False)
class Profile:
    """A person's browser: cookies, storage and tabs that no other profile sees."""

    browser: Chromium
    context: str = field(init=False)

    def __attrs_post_init__(self) -> None:
        self.context = self.browser.call("Target.createBrowserContext")["browserContextId"]

    def close(self) -> None:
        """Forget everything."""
        self.browser.call("Target.disposeBrowserContext", browserContextId=self.context)

    def tab(self) -> Tab:
        """A fresh tab."""
        return Tab(self.browser, self.browser.call("Target.createTarget", url="about:blank", browserContextId=self.context)["targetId"])

    def tabs(self) -> list[str]:
        """The ids of all tabs, popups among them."""
        told = self.browser.call("Target.getTargets")["targetInfos"]
        return [one["targetId"] for one in told if one["type"] == "page" and one.get("browserContextId") == self.context]

    def opened(self, than: list[str]) -> Tab:
        """
        The tab that was opened since these were all.

        :raises BrowserFault: none was.
        """
        until = time.monotonic() + PATIENCE_S
        while time.monotonic() < until:
            fresh = [target for target in self.tabs() if target not in than]
            if fresh:
                return Tab(self.browser, fresh[0])
            time.sleep(_PAUSE_S)
        raise BrowserFault("no tab was opened")

    def cookies(self) -> list[Told]:
        """All cookies, those that no script reads among them."""
        told = self.browser.call("Storage.getCookies", browserContextId=self.context)["cookies"]
        return [dict(one) for one in told]

    def cookie(self, url: str, name: str) -> str | None:
        """The value of a host's cookie."""
        host = url.split("://")[1].split("/")[0].split(":")[0]
        return next((str(one["value"]) for one in self.cookies() if one["domain"] == host and one["name"] == name), None)

    def set_cookie(self, url: str, name: str, value: str, **more: object) -> None:
        """Put a cookie there, as its origin's server would."""
        cookie = {"name": name, "value": value, "url": url, "path": "/", "secure": True, "httpOnly": True, "sameSite": "Lax", **more}
        self.browser.call("Storage.setCookies", cookies=[cookie], browserContextId=self.context)
