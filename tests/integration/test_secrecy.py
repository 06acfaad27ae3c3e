"""What leaves a running gate: no session's cookie, no token, and no word about what exists."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator

from tests.integration.answers import Answer
from tests.integration.ways_in import FOREIGN, MINE, OPEN, SECOND, UNKNOWN, VISIT, WaysIn


class SecrecyTests(WaysIn):
    """The gate's cookies stay at the gate."""

    async def test_cookie_shapes(self) -> None:
        """In no shape and no company does a session's cookie reach a sandbox, signed in or not; other cookies do."""
        statuses: list[int] = []
        tokens: list[bytes] = []

        def work() -> None:
            token = self.sign_in().cookies[self.gate.sandbox()]["__Host-coral-sandbox"]
            tokens.append(token.encode())
            for host, extra in ((self.gate.sandbox(OPEN), ""), (self.gate.sandbox(), f"; __Host-coral-sandbox={token}")):
                for shape in _shapes(token):
                    statuses.append(self.gate.ask("GET", host, "/shape", shape[0] + extra, *shape[1:]).status)

        await self.in_thread(work)
        records = await self.origin.take()
        self.assertLessEqual(set(statuses), {200, 400, 401})
        self.assertGreater(statuses.count(200), 60)
        self.assertEqual(len(records), statuses.count(200) + 1)
        for record in records:
            for _, value in record.fields:
                self.assertNotIn(tokens[0], value)
                self.assertNotIn(b"host-coral", value.lower())
        self.assertTrue(any(record.values(b"cookie") == [b"a=1; b=2"] for record in records))

    async def test_nothing_is_written(self) -> None:
        """No token, code, state or binding stands in the daemon's log, its audit log, its database or any other file of its own."""
        seen: set[str] = {"x" * 43}

        def work() -> None:
            browser = self.sign_in()
            for jar in browser.cookies.values():
                seen.update(jar.values())
            browser.visit(f"https://{self.gate.portal}/sign-out", form={})
            for bad in seen:
                self.gate.ask("GET", self.gate.sandbox(), f"/.gate/enter?code={bad}", f"Cookie: __Host-coral-sandbox={bad}")
                self.gate.ask("GET", self.gate.portal, f"/sign-in/callback?code={bad}&state={bad}", f"Cookie: __Host-coral={bad}")

        await self.in_thread(work)
        await self.daemon.stop()
        self.assertGreaterEqual(len(seen), 4)
        written = self.daemon.log.encode() + b"".join(one.read_bytes() for one in self.folder.rglob("*") if one.is_file())
        self.assertIn(b"sign_in.refused", written)
        for token in seen:
            self.assertNotIn(token.encode(), written)


class OracleTests(WaysIn):
    """Refusals tell nothing apart."""

    def same(self, answers: list[Answer], status: int) -> None:
        """All answers are one, but for the request's number and what is random in each."""
        told = {(answer.status, *map(_plain, [*(b"%b: %b" % one for one in answer.fields), bytes(answer.body)])) for answer in answers}
        self.assertEqual(len(told), 1, "\n".join(map(repr, told)))
        self.assertEqual(answers[0].status, status)

    async def test_sessions(self) -> None:
        """No session, a made-up, an ended, another origin's and a doubled one are answered alike, to a script and to a visit."""
        await self.in_thread(self._sessions)

    def _sessions(self) -> None:
        browser = self.sign_in()
        portal, sandbox = self.gate.portal, self.gate.sandbox()
        old = {name: value for jar in browser.cookies.values() for name, value in jar.items()}
        browser.visit(f"https://{portal}/sign-out", form={})
        live = {name: value for jar in self.sign_in().cookies.values() for name, value in jar.items()}
        for host, name, other in ((portal, "__Host-coral", "__Host-coral-sandbox"), (sandbox, "__Host-coral-sandbox", "__Host-coral")):
            values = ["x" * 43, "x", "", old[name], live[other], f"{live[name]}; {name}={live[name]}", f'"{live[name]}"', live[name][:-1]]
            cookies: list[tuple[str, ...]] = [(), *((f"Cookie: {name}={value}",) for value in values), (f"Cookie: {other}={live[other]}",)]
            for more, status in ((("Accept: application/json",), 401), (VISIT, 303)):
                self.same([self.gate.ask("GET", host, "/", *more, *cookie) for cookie in cookies], status)
            self.assertEqual(self.gate.ask("GET", host, "/", f"Cookie: {name}={live[name]}").status, 200)

    async def test_codes(self) -> None:
        """A code that is made up, used, another sandbox's or another browser's leads to the same page, and opens nothing."""
        await self.in_thread(self._codes)

    def _codes(self) -> None:
        cookie = f"Cookie: __Host-coral={self.sign_in().cookies[self.gate.portal]['__Host-coral']}"
        mine, ours = self.gate.sandbox(), "Cookie: __Host-Http-coral-pre=" + "p" * 43
        answers = [self.gate.ask("GET", mine, f"/.gate/enter{query}", *VISIT) for query in ("", "?code=", "?code=" + "x" * 43, "?code=%00")]
        used = self._code(cookie)
        self.assertEqual(self._enter(mine, used, ours).value(b"location"), b"/")
        answers.append(self._enter(mine, used, ours))
        answers.append(self._enter(self.gate.sandbox(SECOND), self._code(cookie), ours))
        answers.append(self._enter(mine, self._code(cookie), ours[:-1] + "q"))
        spent = self._code(cookie)
        answers.append(self._enter(mine, spent))
        answers.append(self._enter(mine, spent, ours))  # wrong once, and it is spent
        self.same(answers, 303)
        self.assertEqual(answers[0].value(b"location"), f"https://{self.gate.portal}/used-up".encode())

    def _code(self, cookie: str) -> str:
        """A fresh code for the owner's sandbox, bound to the browser that holds `ppp...`."""
        binding = hashlib.sha256(b"p" * 43).hexdigest()
        answer = self.gate.ask("GET", self.gate.portal, f"/handoff?sandbox={MINE}&browser={binding}&path=/", *VISIT, cookie)
        return (answer.value(b"location") or b"").rpartition(b"code=")[2].decode()

    def _enter(self, host: str, code: str, *fields: str) -> Answer:
        """A visit to a sandbox's host with a code."""
        return self.gate.ask("GET", host, f"/.gate/enter?code={code}", *VISIT, *fields)

    async def test_sandboxes(self) -> None:
        """Somebody else's sandbox and one that never was are answered alike, at their hosts and at the portal."""

        def work() -> None:
            browser = self.sign_in()
            cookie = f"Cookie: __Host-coral={browser.cookies[self.gate.portal]['__Host-coral']}"
            guest = f"Cookie: __Host-coral-sandbox={browser.cookies[self.gate.sandbox()]['__Host-coral-sandbox']}"
            names, binding = (FOREIGN, UNKNOWN), hashlib.sha256(b"p" * 43).hexdigest()
            handoffs = [f"/handoff?sandbox={name}&browser={binding}&path=/" for name in names]
            self.same([self.gate.ask("GET", self.gate.portal, target, *VISIT, cookie) for target in handoffs], 404)
            for fields, status in (((), 401), ((guest,), 401), (VISIT, 303), ((*VISIT, guest), 303)):
                for target in ("/", "/x"):
                    self.same([self.gate.ask("GET", self.gate.sandbox(name), target, *fields) for name in names], status)

        await self.in_thread(work)
        self.assertEqual([record.target for record in await self.origin.take()], [b"/"])


_ASIDE = re.compile(rb"[0-9a-f]{8}-[0-9a-f]+-[0-9a-f]+|pre=[\w-]{43}|browser=[0-9a-f]{64}|sandbox=[a-z]{26}|^date: .*")


def _plain(text: bytes) -> bytes:
    """Text without numbers of requests, random tokens, dates, and the name that was asked for."""
    return _ASIDE.sub(b"-", text)


def _shapes(token: str) -> Iterator[tuple[str, ...]]:
    """Cookie fields that hold a token, each a tuple of lines."""
    for name in ("__Host-coral", "__Host-coral-sandbox", "__Host-Http-coral-pre", "__HOST-CORAL", "__host-coral-Sandbox", "__Secure-coral"):
        ours = f"{name}={token}"
        for shape in (ours, f"a=1; {ours}; b=2", f"a=1;{ours};b=2", f"{ours}; a=1; b=2", f"a=1; b=2; {ours}", f"{ours}; {ours}; a=1",
                      f'a=1; {name}="{token}"; b=2', f"$Version=1; {ours}; $Path=/", f"a=1, {ours}; b=2", f"a=1; =x{ours}", f"a={ours}",
                      f"a=1;;{ours};;", f"a=1; \t{ours} ; b=2", f"{name} = {token}", f"{name}%3D{token}; {ours}", f"a=\xff\xfe; {ours}",
                      f"{ours}; a={'x' * 8000}", f"a=1 {ours}"):  # fmt: skip
            yield (f"Cookie: {shape}",)
        yield f"Cookie: a=1; {ours}", f"Cookie: {ours}; b=2"
        yield f"cookie:{ours}", "COOKIE: a=1"
