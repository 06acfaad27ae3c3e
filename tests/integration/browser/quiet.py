"""
Signing in without a browser, where a test is about what comes after: the same addresses, the same issuer.
"""

from __future__ import annotations

import http.client
import re
from html import unescape
from urllib.parse import urlencode, urljoin, urlsplit

from attrs import define, field

_MOST_STEPS = 16


@define
class Answer:
    """What came back."""

    status: int
    location: str
    body: str
    cookies: dict[str, str]


@define
class Client:
    """
    Keeps the cookies of one host, which listens on a loopback port without TLS.

    :ivar authority: as browsers write it.
    """

    port: int
    authority: str
    jar: dict[str, str] = field(factory=dict)

    def ask(self, target: str, form: dict[str, str] | None = None, **fields: str) -> Answer:
        """One request; a form is sent by the host's own page."""
        sent = {"Host": self.authority, "Accept": "text/html", "User-Agent": "Quiet/1.0", **fields}
        if self.jar:
            sent["Cookie"] = "; ".join(f"{name}={value}" for name, value in self.jar.items())
        if form is not None:
            sent |= {"Content-Type": "application/x-www-form-urlencoded", "Origin": f"https://{self.authority}"}
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        try:
            connection.request("GET" if form is None else "POST", target, None if form is None else urlencode(form), sent)
            response = connection.getresponse()
            set_cookies = [value.partition(";")[0].partition("=") for name, value in response.getheaders() if name.lower() == "set-cookie"]
            cookies = {name: value for name, _, value in set_cookies}
            self.jar.update(cookies)
            return Answer(response.status, response.getheader("location") or "", response.read().decode("utf-8", "replace"), cookies)
        finally:
            connection.close()


def begin_quietly(gate: Client, next_path: str = "/") -> str:
    """Where the issuer's page is to which a sign-in leads; the client keeps the cookie that binds it."""
    page = gate.ask("/sign-in/start", {"next": next_path})
    found = re.search(r'http-equiv="refresh" content="0;url=([^"]*)"', page.body)
    assert found is not None, page
    return unescape(found[1])


def prove_quietly(url: str, issuer_port: int, callback: str, subject: str, jar: dict[str, str] | None = None) -> str:
    """
    Sign in at the issuer by its pages; gives the URL that it sends the browser back to.

    :param jar: the cookies of who has been there before, who need not say who they are once more.
    """
    issuer = Client(issuer_port, urlsplit(url).netloc, {} if jar is None else jar)
    for _ in range(_MOST_STEPS):
        if url.startswith(callback + "?"):
            return url
        answer = issuer.ask(_target(url))
        if not answer.location:
            prompt = "login" if 'name="login"' in answer.body else "consent"
            answer = issuer.ask(_target(url), {"prompt": prompt, "login": subject, "password": "x"})
        url = urljoin(url, answer.location)
    raise AssertionError("it goes round in circles")


def sign_in_quietly(port: int, portal: str, issuer_port: int, subject: str) -> str:
    """The token of a fresh session."""
    gate = Client(port, urlsplit(portal).netloc)
    back = prove_quietly(begin_quietly(gate), issuer_port, f"{portal}/sign-in/callback", subject)
    return gate.ask(_target(back)).cookies["__Host-coral"]


def _target(url: str) -> str:
    parts = urlsplit(url)
    return parts.path + (f"?{parts.query}" if parts.query else "")
