"""
What a browser calls itself, in a few words: for people who look through their sessions. It decides nothing.
"""

from __future__ import annotations

import re

_BROWSERS = (
    ("Edg(?:e|A|iOS)?/", "Edge"),
    ("OPR/|Opera", "Opera"),
    ("SamsungBrowser/", "Samsung Internet"),
    ("Firefox/|FxiOS/", "Firefox"),
    ("(?:Headless)?Chrome/|Chromium/|CriOS/", "Chrome"),
    ("Safari/", "Safari"),
)
_SYSTEMS = (
    ("iPhone", "an iPhone"),
    ("iPad", "an iPad"),
    ("Android", "Android"),
    ("Windows", "Windows"),
    ("CrOS", "ChromeOS"),
    ("Mac OS X|Macintosh", "a Mac"),
    ("Linux|X11", "Linux"),
)
"""The first that is found counts: most browsers name their forebears too."""


def browser_name(agent: str) -> str:
    """
    For a User-Agent (RFC 9110 §10.1.5), e.g. `Firefox on Linux`.

    :return: the text itself where it is no browser that we know; `Unknown browser` where it is empty.
    """
    browser = _first(_BROWSERS, agent) if agent.startswith("Mozilla/5.0 (") else None
    if browser is None:
        return agent or "Unknown browser"
    system = _first(_SYSTEMS, agent)
    return browser if system is None else f"{browser} on {system}"


def _first(table: tuple[tuple[str, str], ...], agent: str) -> str | None:
    return next((name for pattern, name in table if re.search(pattern, agent)), None)
