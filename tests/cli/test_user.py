"""`coral-gate user` lists people and changes what they may do, whether or not the daemon runs."""

from __future__ import annotations

import json
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from coral_gate.audit import segments
from coral_gate.cli import user
from coral_gate.cli.exits import Exit
from coral_gate.cli.finished import finished
from coral_gate.cli.recording import FOLDER_NAME
from coral_gate.config import load
from coral_gate.model import Role, UserId
from coral_gate.records import AsGate, Capacity, User
from coral_gate.stores.providers import database_stores
from coral_gate.stores.sqlite import open_for_daemon
from coral_gate.stores.threads import at_once
from tests.cli.gatehouse import Gatehouse
from tests.cli.test_main import command
from tests.stores.contract import NOW, a_session

OPERATOR = AsGate(Capacity.OPERATOR)
SIGN_IN = """\
[sign_in]
issuer = "https://issuer.example"
client_id = "coral"
client_authentication = "none"
administrators = ["someone"]
"""


class UserCase(SynchronousTestCase):
    """Each on a daemon's database of its own, which is open all the time."""

    def setUp(self) -> None:
        house = Gatehouse(Path(self.mktemp()), SIGN_IN)
        self.config = house.config
        self.state = load(house.config).gate.state_directory
        database = open_for_daemon(self.state, at_once, at_once, NOW)
        self.addCleanup(database.close)
        self.stores = database_stores(database)

    def user(self, what: str, *words: str) -> tuple[int, str, str]:
        """Run the verb."""
        return command("user", what, "--config", str(self.config), *words)

    def facts(self, what: str, *words: str) -> dict[str, object]:
        """What the verb says in JSON, when it succeeds."""
        code, out, err = self.user(what, "--json", *words)
        self.assertEqual((code, err), (Exit.OK, ""))
        said = json.loads(out)
        assert isinstance(said, dict)
        return said

    def find(self, sub: str) -> User | None:
        """The person as the daemon sees them."""
        return finished(self.stores.users.find(UserId("https://issuer.example", sub)))

    def recorded(self) -> list[tuple[str, str]]:
        """What the audit folder of commands has of people."""
        lines = [line for file in sorted((self.state / FOLDER_NAME).glob("*")) for line in file.read_bytes().splitlines()]
        events = [json.loads(line) for line in lines if b'"user.changed"' in line]
        flat = [event.get("event", event) for event in events]
        return [(event["change"], event.get("to", "")) for event in flat]


class AllowTests(UserCase):
    """`allow`."""

    def test_allow(self) -> None:
        """A person is let in by the configured issuer's subject, as a user, and the daemon knows them at once."""
        said = self.facts("allow", "--subject", "ann")
        ann = self.find("ann")
        assert ann is not None
        self.assertEqual((ann.role, ann.disabled, ann.allowed_by), (Role.USER, False, "operator"))
        self.assertEqual((said["id"], said["subject"], said["role"]), (ann.id, "ann", "user"))
        self.assertEqual(self.recorded(), [("allowed", "user")])

    def test_first_administrator(self) -> None:
        """The first administrator is named by issuer and subject."""
        code, out, _ = self.user("allow", "--subject", "root", "--role", "administrator", "--issuer", "https://other.example")
        self.assertEqual(code, Exit.OK)
        self.assertIn("root at https://other.example: may sign in", out)
        root = finished(self.stores.users.find(UserId("https://other.example", "root")))
        assert root is not None
        self.assertIs(root.role, Role.ADMINISTRATOR)

    def test_known(self) -> None:
        """Somebody who is known stays as they are, and nothing is recorded."""
        self.user("allow", "--subject", "ann")
        code, out, _ = self.user("allow", "--subject", "ann", "--role", "administrator")
        self.assertEqual(code, Exit.OK)
        self.assertIn("known already", out)
        ann = self.find("ann")
        assert ann is not None
        self.assertIs(ann.role, Role.USER)
        self.assertEqual(self.recorded(), [("allowed", "user")])

    def test_no_subject(self) -> None:
        """What is no subject lets nobody in."""
        for subject in ("", "x" * 256, "line\nfeed"):
            code, out, err = self.user("allow", f"--subject={subject}")
            self.assertEqual((code, out), (Exit.FAILED, ""))
            self.assertEqual(err, "coral-gate user: A subject is 1 to 255 printable characters.\n")
        self.assertEqual(self.facts("list"), {"users": []})


class ChangeTests(UserCase):
    """`disable`, `enable`, `role`."""

    def setUp(self) -> None:
        super().setUp()
        self.ann = finished(self.stores.users.allow(OPERATOR, UserId("https://issuer.example", "ann"), Role.USER, NOW))

    def test_disable(self) -> None:
        """Disabling ends the person's sessions under the running daemon, which learns of it by its number."""
        session = a_session(self.ann, "mine")
        finished(self.stores.sessions.create(session, most=5))
        code, out, _ = self.user("disable", "--subject", "ann", "--reason", "left the company")
        self.assertEqual(code, Exit.OK)
        self.assertIn("ann at https://issuer.example: disabled", out)
        self.assertIsNone(finished(self.stores.sessions.find(session.digest)))
        rows = finished(self.stores.revocations.since(0))
        assert rows is not None
        told = [(row.seq, row.kind.value, row.subject, row.reason) for row in rows]
        self.assertEqual(told, [(1, "session", session.id, "left the company"), (2, "user", self.ann.id, "left the company")])
        self.assertEqual(self.recorded(), [("disabled", "")])

    def test_enable(self) -> None:
        """Enabling lets them in again; what is so already is neither done nor recorded."""
        for what, disabled in (("enable", False), ("disable", True), ("disable", True), ("enable", False)):
            self.assertEqual(self.facts(what, "--id", self.ann.id)["disabled"], disabled)
        self.assertEqual(self.recorded(), [("disabled", ""), ("enabled", "")])
        self.assertEqual(self.find("ann"), self.ann)

    def test_role(self) -> None:
        """A role is given, and the daemon learns of it."""
        self.assertEqual(self.facts("role", "administrator", "--subject", "ann")["role"], "administrator")
        self.assertEqual(self.facts("role", "--subject", "ann", "administrator")["role"], "administrator")
        self.assertEqual(self.recorded(), [("role", "administrator")])
        self.assertEqual(finished(self.stores.revocations.last()), 1)
        code, _, err = self.user("role", "emperor", "--subject", "ann")
        self.assertEqual(code, Exit.USAGE)
        self.assertIn("choose from 'user', 'administrator'", err)

    def test_the_last_administrator(self) -> None:
        """The operator may disable even the last administrator, whose account may have been stolen."""
        self.user("role", "administrator", "--subject", "ann")
        self.assertEqual(self.user("disable", "--subject", "ann")[0], Exit.OK)

    def test_nobody(self) -> None:
        """A person who is not there is said to be so, by whatever they were named."""
        for words in (("--subject", "eve"), ("--id", "a" * 26), ("--subject", "ann", "--issuer", "https://other.example")):
            for what in (("disable",), ("enable",), ("role", "user")):
                code, out, err = self.user(*what, *words)
                self.assertEqual((code, out), (Exit.FAILED, ""))
                self.assertEqual(err, "coral-gate user: There is no such person; 'coral-gate user list' shows everybody.\n")
        self.assertEqual(self.recorded(), [])

    def test_no_id(self) -> None:
        """What is no id is refused as a wrong argument."""
        for words in ("ann", "a" * 27, "\udcff"):
            code, _, err = self.user("disable", "--id", words)
            self.assertEqual(code, Exit.USAGE)
            self.assertIn("argument --id: invalid", err)

    def test_one_person(self) -> None:
        """A change names one person, one way."""
        for words in ((), ("--subject", "ann", "--id", self.ann.id)):
            self.assertEqual(self.user("disable", *words)[0], Exit.USAGE)

    def test_reasons(self) -> None:
        """A reason that cannot be shown is refused before anything happens."""
        code, _, err = self.user("disable", "--subject", "ann", "--reason", "x" * 201)
        self.assertEqual((code, err), (Exit.FAILED, "coral-gate user: A reason is at most 200 printable characters.\n"))
        self.assertEqual((self.recorded(), self.find("ann")), ([], self.ann))

    def test_not_recorded_not_done(self) -> None:
        """Where the change cannot be recorded it is not made."""

        def full(self: object, *args: object) -> None:
            raise OSError(28, "No space left on device")

        self.patch(segments.Segments, "append", full)
        code, out, err = self.user("disable", "--subject", "ann")
        self.assertEqual((code, out), (Exit.UNAVAILABLE, ""))
        self.assertIn("cannot record this", err)
        self.assertEqual(self.find("ann"), self.ann)


class ListTests(UserCase):
    """`list`."""

    def test_list(self) -> None:
        """Everybody is listed, beyond one page too, with what identifies them and what they may do."""
        self.patch(user, "_PAGE", 2)
        for number in range(5):
            self.user("allow", "--subject", f"s{number}")
        self.user("disable", "--subject", "s3")
        finished(self.stores.users.sign_in(UserId("https://issuer.example", "s1"), "s1@example.org", "S. One", NOW))
        users = self.facts("list")["users"]
        assert isinstance(users, list)
        self.assertEqual(sorted(one["subject"] for one in users), [f"s{number}" for number in range(5)])
        code, out, _ = self.user("list")
        self.assertEqual((code, len(out.splitlines())), (Exit.OK, 5))
        lines = {line.split()[-3]: line for line in out.splitlines()}
        self.assertIn("disabled", lines["s3"])
        self.assertIn("2026-03-01 12:00 UTC", lines["s1"])
        self.assertIn("s1@example.org  s1 at https://issuer.example", lines["s1"])

    def test_no_issuer(self) -> None:
        """Without a configured issuer one has to be named."""
        self.config.write_text(self.config.read_text().replace(SIGN_IN, ""))
        code, _, err = self.user("allow", "--subject", "ann")
        self.assertEqual(code, Exit.FAILED)
        self.assertIn("say with --issuer who vouches", err)
        self.assertEqual(self.user("allow", "--subject", "ann", "--issuer", "https://issuer.example")[0], Exit.OK)

    def test_unfit_folder(self) -> None:
        """A state directory that others may enter is refused as a configuration is."""
        self.state.chmod(0o755)
        code, _, err = self.user("list")
        self.assertEqual(code, Exit.CONFIGURATION)
        self.assertIn("only its owner may get in", err)
