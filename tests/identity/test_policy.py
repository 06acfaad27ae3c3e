"""Who may sign in."""

from __future__ import annotations

from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from coral_gate.config.email_addresses import domain_name, email_address
from coral_gate.errors import SignInRefused
from coral_gate.identity.person import Person, person_of, with_userinfo
from coral_gate.identity.policy import NOBODY, sign_in_policy
from coral_gate.model import Identity, UserId

WHO = {"iss": "https://id.example", "sub": "1"}

MALFORMED = [
    "a@good@evil.example",
    "a@evil.example@good.example",
    "a@good.example@",
    "@good.example",
    "a@",
    "a",
    "",
    "a b@good.example",
    "a@good.example ",
    " a@good.example",
    "a@good.example\n",
    "a@good.example\x00",
    "a@good.example,b@evil.example",
    "a@good.example;b@evil.example",
    "<a@good.example>",
    "A <a@good.example>",
    '"a@evil.example"@good.example',
    "a(comment)@good.example",
    "a@[127.0.0.1]",
    "a@127.0.0.1",
    "a@good",
    "a@good..example",
    "a@.good.example",
    "a@good.example.",
    "a@-good.example",
    "a@göod.example",
    "ａ@good.example",
    ".a@good.example",
    "a.@good.example",
    "a..b@good.example",
    "a@good.example%00",
    "a@good.example/..",
    "a@good.example?x=@good.example",
    "x" * 65 + "@good.example",
    "a@" + "x" * 250 + ".example",
]


def person(**claims: object) -> Person:
    return person_of({**WHO, **claims})


class EmailTests(SynchronousTestCase):
    """E-mail addresses."""

    def test_good(self) -> None:
        """Plain addresses; the domain's case goes, the local part's stays."""
        for text in ("a@good.example", "First.Last+tag@good.example", "o'neil@mail.good.example", "x@xn--bcher-kva.example"):
            self.assertEqual(email_address(text), text)
        self.assertEqual(email_address("A.b@GOOD.Example"), "A.b@good.example")

    def test_malformed(self) -> None:
        """Everything else is none, and so on no list."""
        policy = sign_in_policy(email=["a@good.example"], hd=["good.example"])
        for text in MALFORMED:
            self.assertIsNone(email_address(text), text)
            someone = person(email=text, email_verified=True)
            self.assertIsNone(someone.identity.email)
            self.assertEqual(self.assertRaises(SignInRefused, policy.admit, someone).reason, "person.not_listed")

    @given(st.text(max_size=40) | st.from_regex(r"[a-zA-Z.@\"]{1,12}@[a-z.@-]{1,12}", fullmatch=True))
    def test_form(self, text: str) -> None:
        """Whatever is taken has one @, a dotted domain in lower case, and is taken again unchanged."""
        found = email_address(text)
        if found is not None:
            self.assertEqual((found.count("@"), email_address(found)), (1, found))
            self.assertEqual(domain_name(found.split("@")[1]), found.split("@")[1])


class PolicyTests(SynchronousTestCase):
    """Lists."""

    def test_nobody(self) -> None:
        """Without a list nobody gets in, and that is a mistake that is said."""
        error = self.assertRaises(ValueError, sign_in_policy)
        self.assertEqual(str(error), NOBODY)

    def test_each_list(self) -> None:
        """To be on one of them is enough."""
        policy = sign_in_policy(hd=["Good.example"], email=["a@B.example"], subject=["42"])
        policy.admit(person(hd="good.example"))
        policy.admit(person(email="a@b.example", email_verified=True))
        policy.admit(person_of({**WHO, "sub": "42"}))

    def test_not_listed(self) -> None:
        """Nobody else gets in."""
        policy = sign_in_policy(hd=["good.example"], email=["a@b.example"], subject=["42"])
        for claims in (
            {},
            {"email": "A@b.example", "email_verified": True},
            {"email": "a@sub.b.example", "email_verified": True},
            {"email": "42", "email_verified": True},
            {"hd": "b.example"},
            {"hd": "42"},
            {"name": "42"},
            {"preferred_username": "a@b.example"},
        ):
            self.assertEqual(self.assertRaises(SignInRefused, policy.admit, person(**claims)).reason, "person.not_listed")

    def test_not_verified(self) -> None:
        """A listed address that the issuer does not vouch for, in each form of not vouching."""
        policy = sign_in_policy(email=["a@b.example"])
        words: list[object] = [False, None, "true", "True", 1, [True], {}]
        for word in words:
            someone = person(email="a@b.example", email_verified=word)
            self.assertEqual(self.assertRaises(SignInRefused, policy.admit, someone).reason, "email.unverified")
            self.assertIsNone(someone.identity.email)

    def test_entries(self) -> None:
        """An entry that would mean something else to somebody is not taken."""
        for hd in ("*.good.example", "@good.example", "good", "", "good.example ", "10.0.0.1"):
            self.assertRaises(ValueError, sign_in_policy, hd=[hd])
        for email in ("*@good.example", "good.example", "@good.example", *MALFORMED):
            self.assertRaises(ValueError, sign_in_policy, email=[email])
        for subject in ("", "s" * 256, "é", "a\n"):
            self.assertRaises(ValueError, sign_in_policy, subject=[subject])

    def test_wants(self) -> None:
        """Userinfo is worth asking only for what a list needs and the token left out."""
        self.assertFalse(sign_in_policy(subject=["1"]).wants(person()))
        self.assertTrue(sign_in_policy(email=["a@b.example"]).wants(person()))
        self.assertFalse(sign_in_policy(email=["a@b.example"]).wants(person(email="x@b.example")))
        self.assertTrue(sign_in_policy(hd=["b.example"]).wants(person(email="x@b.example")))


class PersonTests(SynchronousTestCase):
    """What is read about a person."""

    def test_identity(self) -> None:
        """Everything that an issuer says, and the least."""
        whole = person(email="a@B.example", email_verified=True, hd="b.example", name="Ann", auth_time=0)
        self.assertEqual(whole.identity.email, "a@b.example")
        self.assertEqual((whole.identity.hd, whole.identity.name), ("b.example", "Ann"))
        self.assertEqual(person().identity, Identity(UserId("https://id.example", "1")))

    def test_names(self) -> None:
        """A name that would disturb a page or a log is left out."""
        for name in ("", " ", "a\nb", "a\u202eb", "a\x1b[31m", "x" * 201):
            self.assertIsNone(person(name=name).name)
        self.assertEqual(person(name="Zoë O'Neil <b>").name, "Zoë O'Neil <b>")

    def test_userinfo(self) -> None:
        """It fills in what is missing and replaces nothing."""
        told = {"sub": "1", "email": "u@b.example", "email_verified": True, "hd": "u.example", "name": "U", "iss": "https://evil.example"}
        filled = with_userinfo(person(), told)
        self.assertEqual((filled.identity.email, filled.hd, filled.name), ("u@b.example", "u.example", "U"))
        self.assertEqual(filled.user, UserId("https://id.example", "1"))
        kept = with_userinfo(person(email="t@b.example", hd="t.example", name="T"), told)
        self.assertEqual((kept.email, kept.email_verified, kept.hd, kept.name), ("t@b.example", False, "t.example", "T"))

    def test_userinfo_of_another(self) -> None:
        """About somebody else, or nobody."""
        for sub in ("2", None, 1, ["1"]):
            refusal = self.assertRaises(SignInRefused, with_userinfo, person(), {"sub": sub})
            self.assertEqual(refusal.reason, "userinfo.subject")

    def test_users_are_keyed_on_issuer_and_subject(self) -> None:
        """The same address at another subject is another user."""
        first = person(email="a@b.example", email_verified=True)
        second = evolve(first, user=UserId(first.user.iss, "2"))
        self.assertNotEqual(first.identity.user, second.identity.user)
        self.assertEqual(first.identity.email, second.identity.email)
