"""
A person's browser, as far as signing in needs one: it follows redirects and keeps cookies.
"""

from __future__ import annotations

from urllib.parse import urljoin, urlsplit

from attrs import define, field
from twisted.web.client import Agent, readBody
from twisted.web.http_headers import Headers

_MOST_STEPS = 12


@define
class Browser:
    """
    One person at the issuer.

    :ivar account: who they say they are there.
    """

    _agent: Agent
    account: str = "alice"
    _cookies: dict[str, str] = field(factory=dict, repr=False)

    async def follow(self, url: str, until: str) -> bytes:
        """Go where the issuer sends us until that is the client's callback; its query."""
        for _ in range(_MOST_STEPS):
            if url.startswith(until + "?"):
                return urlsplit(url).query.encode()
            url = urljoin(url, await self._step(url))
        raise AssertionError("redirected without end")

    async def _step(self, url: str) -> str:
        cookies = "; ".join(f"{name}={value}" for name, value in self._cookies.items())
        fields = {"X-Account": [self.account], **({"Cookie": [cookies]} if cookies else {})}
        response = await self._agent.request(b"GET", url.encode(), Headers(fields))
        text = await readBody(response)
        for line in response.headers.getRawHeaders("set-cookie", []):
            name, _, value = line.split(";")[0].partition("=")
            self._cookies[name] = value
        location: str = response.headers.getRawHeaders("location", [""])[0]
        assert location, f"{urlsplit(url).path} answered {response.code}: {text!r}"
        return location
