"""The verbs about what runs say what to do where nothing runs, and work on the database where that is enough."""

from __future__ import annotations

import json
import socket
import threading
from pathlib import Path

from attrs import evolve
from twisted.trial.unittest import SynchronousTestCase

from coral_gate.cli.exits import Exit
from coral_gate.cli.finished import finished
from coral_gate.cli.recording import FOLDER_NAME
from coral_gate.cli.tables import lines
from coral_gate.config import load
from coral_gate.model import Role, UserId
from coral_gate.operations.operator_lines import Answer, Done, Failed, Progress, answer_line
from coral_gate.operations.operator_socket import bound
from coral_gate.records import AsGate, Because, Capacity, Sandbox
from coral_gate.stores.providers import database_stores
from coral_gate.stores.sqlite import open_for_daemon
from coral_gate.stores.threads import at_once
from tests.cli.gatehouse import BOX, Gatehouse
from tests.cli.test_main import command
from tests.stores.contract import NOW, a_session, box_id

ISSUER = "https://issuer.example"


class RunningCase(SynchronousTestCase):
    """A state directory whose daemon may be a thread that answers as it was told."""

    def setUp(self) -> None:
        house = Gatehouse(Path(self.mktemp()))
        self.config = house.config
        self.state = load(house.config).gate.state_directory
        database = open_for_daemon(self.state, at_once, at_once, NOW)
        self.addCleanup(database.close)
        self.stores = database_stores(database)
        self.ann = finished(self.stores.users.allow(AsGate(Capacity.OPERATOR), UserId(ISSUER, "ann"), Role.USER, NOW))
        self.asked: list[dict[str, object]] = []

    def verb(self, *words: str) -> tuple[int, str, str]:
        """Run a verb."""
        return command(*words, "--config", str(self.config))

    def daemon(self, *answers: Answer) -> None:
        """One that answers one request so."""
        listening = bound(self.state)
        listening.setblocking(True)
        self.addCleanup(listening.close)

        def serve() -> None:
            connection, _ = listening.accept()
            with connection, connection.makefile("rb") as received:
                self.asked.append(json.loads(received.readline()))
                for answer in answers:
                    connection.sendall(answer_line(answer))
                connection.shutdown(socket.SHUT_RDWR)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        self.addCleanup(thread.join, 5)


class DaemonTests(RunningCase):
    """Verbs that need the daemon."""

    def test_not_running(self) -> None:
        """Without a daemon they exit with 69 and say how to start it; nothing else happens."""
        box = "c" * 26
        for words in (
            ("stream", "list"),
            ("stream", "cut", "s1"),
            ("reload",),
            ("sandbox", "create", "--owner", ISSUER, "ann", "--name", "x"),
            ("sandbox", "start", box),
            ("sandbox", "destroy", box, "--yes"),
        ):
            code, out, err = self.verb(*words)
            self.assertEqual((code, out), (Exit.UNAVAILABLE, ""), words)
            self.assertIn("The daemon does not run; start it with 'coral-gate run'", err)

    def test_hung_up(self) -> None:
        """A daemon that hangs up without an answer is no answer."""
        self.daemon(Progress("starting"))
        code, _, err = self.verb("sandbox", "start", "c" * 26)
        self.assertEqual(code, Exit.UNAVAILABLE)
        self.assertIn("starting\n", err)
        self.assertIn("hung up", err)

    def test_refused(self) -> None:
        """What the daemon could not do is said in its words."""
        self.daemon(Failed("The disk is full.", "driver"))
        code, out, err = self.verb("sandbox", "start", "c" * 26)
        self.assertEqual((code, out, err), (Exit.FAILED, "", "coral-gate sandbox: The disk is full.\n"))

    def test_done(self) -> None:
        """Progress is for stderr, the outcome for stdout."""
        self.daemon(Progress("making it"), Done({"id": "c" * 26, "state": "stopped"}))
        code, out, err = self.verb("sandbox", "create", "--owner", ISSUER, "ann", "--name", "Ann's", "--driver", "memory", "--json")
        self.assertEqual((code, json.loads(out), err), (Exit.OK, {"id": "c" * 26, "state": "stopped"}, "making it\n"))
        given = {"issuer": ISSUER, "subject": "ann", "name": "Ann's", "driver": "memory"}
        self.assertEqual(self.asked, [{"do": "sandbox.create", "with": given}])

    def test_cut(self) -> None:
        """What is to be cut is named in one way."""
        self.daemon(Done({"cut": 2}))
        code, out, _ = self.verb("stream", "cut", "--user", self.ann.id, "--reason", "noon")
        self.assertEqual((code, out), (Exit.OK, "cut: 2\n"))
        self.assertEqual(self.asked, [{"do": "stream.cut", "with": {"user": self.ann.id, "reason": "noon"}}])
        for words in ((), ("s1", "--user", self.ann.id), ("--user", "x")):
            self.assertEqual(self.verb("stream", "cut", *words)[0], Exit.USAGE)

    def test_destroy_asks(self) -> None:
        """Nothing is destroyed without --yes where nobody can be asked."""
        self.assertEqual(self.verb("sandbox", "destroy", "c" * 26)[0], Exit.USAGE)
        self.assertEqual(self.asked, [])


class SessionTests(RunningCase):
    """`session`."""

    def test_end(self) -> None:
        """A session ends in the database, recorded, with or without a daemon."""
        sessions = [a_session(self.ann, name) for name in ("one", "two")]
        for one in sessions:
            finished(self.stores.sessions.create(one, most=5))
        self.patch_time()
        code, out, _ = self.verb("session", "list")
        self.assertEqual((code, len(out.splitlines())), (Exit.OK, 3))
        code, out, _ = self.verb("session", "end", sessions[0].id, "--json")
        self.assertEqual((code, json.loads(out)), (Exit.OK, {"ended": [sessions[0].id], "daemon_told": False}))
        self.assertIsNone(finished(self.stores.sessions.find(sessions[0].digest)))
        self.assertIsNotNone(finished(self.stores.sessions.find(sessions[1].digest)))
        code, out, _ = self.verb("session", "end", "--user", ISSUER, "ann")
        self.assertEqual((code, out[:8]), (Exit.OK, "ended: 1"))
        recorded = b"".join(file.read_bytes() for file in (self.state / FOLDER_NAME).glob("*"))
        self.assertEqual(recorded.count(b'"session.ended"'), 2)

    def patch_time(self) -> None:
        """Let the sessions of the tests live now."""
        self.patch(type(a_session(self.ann, "x")), "is_over", lambda session, now: False)

    def test_nobody(self) -> None:
        """Who and what is not there is said to be so."""
        self.assertIn("no such person", self.verb("session", "list", "--user", ISSUER, "eve")[2])
        self.assertIn("no such session", self.verb("session", "end", "c" * 26)[2])


class SandboxTests(RunningCase):
    """`sandbox list` and `show`."""

    def test_list(self) -> None:
        """The rows are listed without a daemon; with one, as its drivers see them."""
        row = Sandbox(box_id("c"), self.ann.id, "Ann's", "memory", "stopped", NOW)
        finished(self.stores.sandboxes.put(AsGate(Capacity.SANDBOXES), row))
        code, out, _ = self.verb("sandbox", "show", row.id, "--json")
        self.assertEqual((code, json.loads(out)["state"], json.loads(out)["subject"]), (Exit.OK, "stopped", "ann"))
        self.daemon(Done({"states": {row.id: "running"}}))
        code, out, _ = self.verb("sandbox", "list")
        self.assertEqual(code, Exit.OK)
        self.assertIn("running", out)
        self.assertIn("no such sandbox", self.verb("sandbox", "show", "d" * 26)[2])


class LockTests(RunningCase):
    """`sandbox lock` and `unlock`."""

    def setUp(self) -> None:
        super().setUp()
        self.row = Sandbox(box_id("c"), self.ann.id, "Ann's", "memory", "stopped", NOW)
        finished(self.stores.sandboxes.put(AsGate(Capacity.SANDBOXES), self.row))

    def locked(self) -> str | None:
        """Why it is, by its row."""
        row = finished(self.stores.sandboxes.find(AsGate(Capacity.OPERATOR), self.row.id))
        assert row is not None
        return row.locked

    def recorded(self) -> list[tuple[object, ...]]:
        """What the commands have recorded."""
        lines = [json.loads(line)["event"] for file in sorted((self.state / FOLDER_NAME).glob("*.jsonl")) for line in file.open()]
        return [(line["change"], line["sandbox"], line.get("why", "")) for line in lines if line["type"] == "lock.changed"]

    def test_without_daemon(self) -> None:
        """A sandbox is locked and given back without a daemon, each recorded once; the list and `show` say so."""
        for _ in range(2):
            self.assertEqual(self.verb("sandbox", "lock", self.row.id, "--why", "Too loud.")[0], Exit.OK)
        self.assertEqual(self.locked(), "Too loud.")
        self.assertIn("stopped, locked", self.verb("sandbox", "list")[1])
        self.assertIn("locked: Too loud.\n", self.verb("sandbox", "show", self.row.id)[1])
        self.assertEqual(json.loads(self.verb("sandbox", "show", self.row.id, "--json")[1])["locked"], "Too loud.")
        code, out, _ = self.verb("sandbox", "unlock", self.row.id, "--json")
        told = {"id": self.row.id, "locked": None, "changed": True, "daemon_told": False}
        self.assertEqual((code, json.loads(out), self.locked()), (Exit.OK, told, None))
        self.assertIn("not locked; as it was", self.verb("sandbox", "unlock", self.row.id)[1])
        self.assertEqual(self.recorded(), [("set", self.row.id, "Too loud."), ("lifted", self.row.id, "")])

    def test_with_daemon(self) -> None:
        """A running daemon is told to look at once."""
        self.daemon(Done({}))
        code, out, _ = self.verb("sandbox", "lock", self.row.id, "--why", "Too loud.")
        self.assertEqual((code, out), (Exit.OK, f"{self.row.id}  locked; the daemon knows\n"))
        self.assertEqual(self.asked, [{"do": "daemon.follow", "with": {}}])

    def test_refused(self) -> None:
        """What cannot be locked is said to be so, and nothing is recorded or done."""
        finished(self.stores.sandboxes.put(AsGate(Capacity.SANDBOXES), evolve(self.row, id=box_id("d"))))
        finished(self.stores.sandboxes.tombstone(AsGate(Capacity.SANDBOXES), box_id("d"), Because("over", NOW)))
        for box, why, said in (
            (BOX, "x", "named in the configuration and has no row to lock"),
            (box_id("d"), "x", "There is no such sandbox"),
            (box_id("e"), "x", "There is no such sandbox"),
            (self.row.id, "", "1 to 200 printable characters"),
            (self.row.id, "x" * 201, "1 to 200 printable characters"),
            (self.row.id, "a\nb", "1 to 200 printable characters"),
        ):
            code, out, err = self.verb("sandbox", "lock", box, "--why", why)
            self.assertEqual((code, out), (Exit.FAILED, ""), (box, why))
            self.assertIn(said, err)
        self.assertEqual(self.verb("sandbox", "lock", self.row.id)[0], Exit.USAGE)
        self.assertEqual((self.recorded(), self.locked(), self.asked), ([], None, []))

    def test_unrecorded(self) -> None:
        """What cannot be recorded is not done."""
        (self.state / FOLDER_NAME).write_text("no folder")
        self.assertNotEqual(self.verb("sandbox", "lock", self.row.id, "--why", "Too loud.")[0], Exit.OK)
        self.assertIsNone(self.locked())


class TableTests(SynchronousTestCase):
    """Tables."""

    def test_lines(self) -> None:
        """Columns line up, and what could disturb a terminal is left out."""
        self.assertEqual(list(lines(("A", "B"), [("\x1b[31mred", 1), ("", 22)])), ["A        B", "[31mred  1", "-        22"])
