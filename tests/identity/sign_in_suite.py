"""
What the client takes and what it refuses, whichever issuer it talks to. Each way of cheating is one test.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Generic, TypeVar
from urllib.parse import parse_qs, urlsplit

from twisted.logger import ILogObserver, LogEvent, globalLogPublisher
from zope.interface import provider

from coral_gate.errors import IssuerUnavailable, SignInRefused
from coral_gate.identity.keys import ALGORITHMS
from coral_gate.model import HTTPAnswer
from tests.identity.forging import claims_of, flipped, forger, keyed_with, unsigned
from tests.identity.rig import BROWSER, OTHER_BROWSER, Rig, changed, parameters
from tests.identity.tampering import DISCOVERY, JWKS, TOKEN, Claims

if TYPE_CHECKING:
    from twisted.trial.unittest import TestCase as _Base
else:

    class _Base:
        """Nothing: what is mixed in comes from the TestCase."""


R = TypeVar("R", bound=Rig)


class SignInSuite(_Base, Generic[R]):
    """Mixed into a TestCase whose `rig` is made in setUp."""

    rig: R

    async def refuses(self, reason: str, sign_in: Awaitable[object] | None = None) -> None:
        """The sign-in is refused with this word and raises nothing else."""
        try:
            await (sign_in or self.rig.sign_in())
        except SignInRefused as refusal:
            self.assertEqual(refusal.reason, reason)
            self.assertEqual((refusal.status, refusal.sentence), (403, "You could not be signed in."))
        else:
            self.fail("signed in")

    async def has_no_answer(self, reason: str, sign_in: Awaitable[object] | None = None) -> None:
        """Nobody can be judged, for this reason, and nothing else is raised."""
        try:
            await (sign_in or self.rig.sign_in())
        except IssuerUnavailable as fault:
            self.assertEqual((fault.reason, fault.status), (reason, 503))
        else:
            self.fail("signed in")

    def forge(self, **claims: object) -> None:
        """Have the issuer state other claims; None takes one out."""
        self.rig.tampering.claims(lambda stated: _lay_over(stated, claims))

    def at(self, seconds: float) -> float:
        """A NumericDate this many seconds from now."""
        return self.rig.clock().timestamp() + seconds


class HonestTests(SignInSuite[R]):
    """What is right is taken."""

    async def test_sign_in(self) -> None:
        """A listed person signs in: issuer, subject and verified address are what the issuer says."""
        signed_in = await self.rig.sign_in()
        self.assertEqual(signed_in.identity.user.iss, self.rig.settings.issuer)
        self.assertEqual(signed_in.identity.user.sub, self.rig.subject)
        self.assertEqual(signed_in.identity.email, self.rig.email)
        self.assertEqual((signed_in.return_to, signed_in.renewed), ("/after", False))

    async def test_authorization_url(self) -> None:
        """The browser is sent with the code flow, PKCE S256, and no scope but those for a name in the list."""
        url = urlsplit(await self.rig.start())
        asked = {name: values[0] for name, values in parse_qs(url.query).items()}
        self.assertEqual(asked["scope"], "openid email")
        self.assertEqual((asked["response_type"], asked["code_challenge_method"]), ("code", "S256"))
        self.assertEqual(asked["redirect_uri"], self.rig.redirect_uri)
        self.assertEqual([len(asked[name]) for name in ("state", "nonce", "code_challenge")], [43, 43, 43])

    async def test_two_tabs(self) -> None:
        """Two sign-ins of one browser under way at once both succeed, in any order."""
        first, second = await self.rig.start(), await self.rig.start()
        later, earlier = await self.rig.visit(second), await self.rig.visit(first)
        for query in (later, earlier):
            self.assertEqual((await self.rig.flow.complete(query, BROWSER)).identity.user.sub, self.rig.subject)

    async def test_resigned_honestly(self) -> None:
        """What the forger of these tests signs is taken when nothing else is wrong: refusals are for the cheat, not the forging."""
        self.forge()
        self.assertEqual((await self.rig.sign_in()).identity.user.sub, self.rig.subject)

    async def test_rs256(self) -> None:
        """RS256 is taken."""
        self.rig.tampering.claims(lambda claims: None, by=forger("RS256"))
        await self.rig.sign_in()

    async def test_other_algorithms(self) -> None:
        """ES256, PS256 and EdDSA are taken where they are configured."""
        self.rig.configure(algorithms=ALGORITHMS)
        for algorithm in ("ES256", "PS256", "EdDSA"):
            self.rig.again()
            self.rig.clock.advance(60)
            self.rig.tampering.claims(lambda claims: claims.pop("at_hash", None), by=forger(algorithm, kid=algorithm))
            await self.rig.sign_in()

    async def test_kid_absent_with_one_key(self) -> None:
        """A token that names no key is taken where the issuer has but one for the algorithm."""
        self.rig.tampering.claims(lambda claims: None, header={"kid": None})
        await self.rig.sign_in()

    async def test_keys_rotate_during_sign_in(self) -> None:
        """A key that the issuer brought into use a moment ago is found."""
        await self.rig.sign_in()
        self.rig.tampering.claims(lambda claims: None, by=forger(kid="brand-new"))
        await self.rig.sign_in()

    async def test_within_skew(self) -> None:
        """An issuer's clock may be off by almost a minute, either way."""
        self.forge(exp=self.at(-59), iat=self.at(-300))
        await self.rig.sign_in()
        self.forge(exp=self.at(300), iat=self.at(59), nbf=self.at(59))
        await self.rig.sign_in()

    async def test_header_addresses_are_ignored(self) -> None:
        """`jku`, `x5u` and `jwk` in a header lead nowhere: the issuer's own key counts, and nothing is fetched from there."""
        evil = {"jku": "https://evil.example/jwks", "x5u": "https://evil.example/x509", "jwk": forger(kid="evil").jwk}
        self.rig.tampering.claims(lambda claims: None, header=evil)
        await self.rig.sign_in()
        self.assertEqual(self.rig.tampering.asked.count(JWKS), 1)

    async def test_renewed(self) -> None:
        """A person who is asked to prove anew who they are does so, and the result says it."""
        signed_in = await self.rig.sign_in(max_age_s=0)
        self.assertTrue(signed_in.renewed)
        self.assertIsNotNone(signed_in.identity.auth_time)

    async def test_profile(self) -> None:
        """The scope of the name is asked for where that is configured."""
        self.rig.configure(profile=True)
        self.assertIn("scope=openid+email+profile", await self.rig.start())


class TokenTests(SignInSuite[R]):
    """A token that was not signed by the issuer, for us, now, proves nothing."""

    async def test_wrong_iss(self) -> None:
        """Another issuer's name."""
        self.forge(iss="https://evil.example")
        await self.refuses("iss.wrong")

    async def test_iss_with_slash(self) -> None:
        """Almost the issuer's name."""
        self.forge(iss=self.rig.settings.issuer + "/")
        await self.refuses("iss.wrong")

    async def test_missing_sub(self) -> None:
        """No subject."""
        self.forge(sub=None)
        await self.refuses("sub.absent")

    async def test_long_sub(self) -> None:
        """A subject of more than 255 characters."""
        self.forge(sub="s" * 256)
        await self.refuses("sub.malformed")

    async def test_wrong_aud(self) -> None:
        """Made for another client."""
        self.forge(aud="somebody-else")
        await self.refuses("aud.wrong")

    async def test_extra_aud(self) -> None:
        """Made for us and for somebody else too."""
        ours = self.rig.settings.client_id
        self.forge(aud=[ours, "somebody-else"], azp=ours)
        await self.refuses("aud.extra")

    async def test_azp_wrong_with_many_aud(self) -> None:
        """Made for us and others, on behalf of another."""
        self.forge(aud=[self.rig.settings.client_id, "somebody-else"], azp="somebody-else")
        await self.refuses("azp.wrong")

    async def test_azp_absent_with_many_aud(self) -> None:
        """Made for us and others, and it does not say on whose behalf."""
        self.forge(aud=[self.rig.settings.client_id, "somebody-else"])
        await self.refuses("azp.wrong")

    async def test_azp_wrong_with_one_aud(self) -> None:
        """Made for us alone, on behalf of another."""
        self.forge(azp="somebody-else")
        await self.refuses("azp.wrong")

    async def test_missing_iat(self) -> None:
        """It does not say when it was made."""
        self.forge(iat=None)
        await self.refuses("iat.absent")

    async def test_iat_in_future(self) -> None:
        """Made more than a minute from now."""
        self.forge(iat=self.at(61))
        await self.refuses("iat.future")

    async def test_iat_old(self) -> None:
        """Made more than ten minutes ago."""
        self.forge(iat=self.at(-601))
        await self.refuses("iat.old")

    async def test_expired(self) -> None:
        """Expired for more than a minute."""
        self.forge(exp=self.at(-61))
        await self.refuses("exp.past")

    async def test_missing_exp(self) -> None:
        """Good for ever."""
        self.forge(exp=None)
        await self.refuses("exp.absent")

    async def test_nbf_in_future(self) -> None:
        """Not good yet for more than a minute."""
        self.forge(nbf=self.at(61))
        await self.refuses("nbf.future")

    async def test_wrong_nonce(self) -> None:
        """Made for another attempt."""
        self.forge(nonce="n" * 43)
        await self.refuses("nonce.wrong")

    async def test_missing_nonce(self) -> None:
        """Made for no attempt in particular."""
        self.forge(nonce=None)
        await self.refuses("nonce.wrong")

    async def test_wrong_at_hash(self) -> None:
        """It came with another access token."""
        self.forge(at_hash="AAAAAAAAAAAAAAAAAAAAAA")
        await self.refuses("at_hash.wrong")

    async def test_auth_time_absent(self) -> None:
        """We asked for a new proof and it does not say when the last one was given."""
        self.forge(auth_time=None)
        await self.refuses("auth_time.absent", self.rig.sign_in(max_age_s=0))

    async def test_auth_time_old(self) -> None:
        """We asked for a new proof and got an old one."""
        self.forge(auth_time=self.at(-120))
        await self.refuses("auth_time.old", self.rig.sign_in(max_age_s=0))

    async def test_auth_time_in_future(self) -> None:
        """A proof that is yet to be given."""
        self.forge(auth_time=self.at(120))
        await self.refuses("auth_time.future")

    async def test_claims_of_wrong_types(self) -> None:
        """Times that are no numbers and an address that is no string."""
        for wrong in ({"exp": "soon"}, {"iat": True}, {"nbf": 1e300}, {"email": ["a@b.example"]}, {"hd": 5}):
            self.rig.again()
            self.forge(**wrong)
            await self.refuses("claims.malformed")

    async def test_kid_absent_with_several_keys(self) -> None:
        """A token names no key where the issuer has two."""
        self.rig.tampering.claims(lambda claims: None, header={"kid": None})
        self.rig.tampering.keys(forger(), forger(kid="another"))
        await self.refuses("id_token.key_ambiguous")

    async def test_kid_of_nobody(self) -> None:
        """A token names a key that the issuer does not have."""
        self.rig.tampering.claims(lambda claims: None, header={"kid": "nobody"})
        await self.refuses("id_token.key_unknown")

    async def test_foreign_key_in_header(self) -> None:
        """Signed by a stranger who brings their own key along in the header."""
        stranger = forger(kid="stranger")
        brought = {"kid": None, "jwk": stranger.jwk, "jku": "https://evil.example/jwks"}
        self.rig.tampering.id_token(lambda token: stranger.sign(claims_of(token), brought))
        self.rig.tampering.keys(forger())
        await self.refuses("id_token.signature")

    async def test_alg_none(self) -> None:
        """Not signed at all, in several spellings."""
        for spelling in ("none", "None", "NONE", "nOnE", ""):
            self.rig.again()
            self.rig.tampering.id_token(_unsigned(spelling))
            await self.refuses("id_token.algorithm")

    async def test_signature_taken_off(self) -> None:
        """The issuer's own token without its signature."""
        self.rig.tampering.id_token(lambda token: token.rsplit(".", 1)[0] + ".")
        await self.refuses("id_token.signature")

    async def test_hs256_with_the_public_key(self) -> None:
        """Keyed with what everybody knows, in each form of the issuer's public key."""
        signer = forger()
        for secret in (signer.pem, signer.pem.strip(), json.dumps(signer.jwk).encode(), signer.jwk["n"].encode()):
            self.rig.again()
            self.rig.tampering.keys(signer)
            self.rig.tampering.id_token(_keyed_with(secret, signer.kid))
            await self.refuses("id_token.algorithm")

    async def test_hs256_key_in_the_set(self) -> None:
        """Keyed with a shared secret that the set of keys publishes, even named RS256."""
        self.rig.tampering.members(JWKS, lambda members: members.update(keys=[{"kty": "oct", "k": "c2VjcmV0", "kid": "o"}]))
        self.rig.tampering.id_token(_keyed_with(b"secret", "o"))
        await self.refuses("id_token.algorithm")

    async def test_algorithm_not_configured(self) -> None:
        """Well signed with an algorithm that is not in the list."""
        self.rig.configure(algorithms=frozenset({"PS256"}))
        self.rig.tampering.claims(lambda claims: None, by=forger("RS256"))
        await self.refuses("id_token.algorithm")

    async def test_algorithm_of_another_key(self) -> None:
        """Signed with PS256 by a key that is for RS256 only."""
        self.rig.configure(algorithms=ALGORITHMS)
        self.rig.tampering.keys(forger("RS256"))
        signer = forger("PS256", kid=forger("RS256").kid)
        self.rig.tampering.id_token(lambda token: signer.sign(claims_of(token)))
        await self.refuses("id_token.key_unknown")

    async def test_flipped_signature_bit(self) -> None:
        """The issuer's own token, one bit of its signature turned over."""
        self.rig.tampering.id_token(flipped)
        await self.refuses("id_token.signature")

    async def test_changed_claims(self) -> None:
        """The issuer's own signature over other claims."""

        def forge(token: str) -> str:
            head, _, signature = token.split(".")
            other = forger().sign({**claims_of(token), "sub": "admin"}).split(".")[1]
            return f"{head}.{other}.{signature}"

        self.rig.tampering.id_token(forge)
        await self.refuses("id_token.signature")

    async def test_crit(self) -> None:
        """An extension that must be understood, and is not."""
        self.rig.tampering.claims(lambda claims: None, header={"crit": ["exp"], "exp": 1})
        await self.refuses("id_token.malformed")

    async def test_another_type_of_token(self) -> None:
        """A token that the issuer signed for another purpose."""
        self.rig.tampering.claims(lambda claims: None, header={"typ": "logout+jwt"})
        await self.refuses("id_token.type")

    async def test_no_token_at_all(self) -> None:
        """Things that are no signed tokens."""
        for wrong in ("", "x", "a.b", "a.b.c", "....", "e30.e30.", "é.é.é", "A" * 20000, "bm8.bm8.bm8"):
            self.rig.again()
            self.rig.tampering.members(TOKEN, _update(id_token=wrong))
            await self.refuses("id_token.malformed" if not wrong.startswith("e30") else "id_token.algorithm")


class PersonTests(SignInSuite[R]):
    """Only who is on a list gets in."""

    async def test_not_listed(self) -> None:
        """Somebody whom no list names."""
        self.rig.admit(subject=["somebody-else"], email=["else@gate.example"], hd=["gate.example"])
        await self.refuses("person.not_listed")

    async def test_listed_address(self) -> None:
        """A verified address on the list."""
        self.rig.admit(email=[self.rig.email])
        self.assertEqual((await self.rig.sign_in()).identity.email, self.rig.email)

    async def test_address_not_verified(self) -> None:
        """The listed address, but the issuer does not vouch for it; nor does the string `true`."""
        self.rig.admit(email=[self.rig.email])
        for word in (False, None, "true", 1):
            self.rig.again()
            self.forge(email=self.rig.email, email_verified=word)
            await self.refuses("email.unverified")

    async def test_hd(self) -> None:
        """A member of a listed organisation."""
        self.rig.admit(hd=["good.example"])
        self.forge(hd="good.example")
        self.assertEqual((await self.rig.sign_in()).identity.hd, "good.example")

    async def test_hd_absent(self) -> None:
        """Somebody without an organisation."""
        self.rig.admit(hd=["good.example"])
        self.forge(hd=None)
        await self.refuses("person.not_listed")

    async def test_hd_spoofed_by_address(self) -> None:
        """An address at the organisation's domain, even a verified one, is no membership."""
        self.rig.admit(hd=["good.example"])
        for email in ("a@good.example", "a@good.example@evil.example", "a@evil.example@good.example"):
            self.rig.again()
            self.forge(hd=None, email=email, email_verified=True)
            await self.refuses("person.not_listed")

    async def test_hd_of_a_look_alike(self) -> None:
        """Domains that end in, begin with or contain the listed one."""
        self.rig.admit(hd=["good.example"])
        for hd in ("evil-good.example", "good.example.evil.example", "sub.good.example", "good.example.", "GOOD.example", ""):
            self.rig.again()
            self.forge(hd=hd)
            await self.refuses("person.not_listed")


class CallbackTests(SignInSuite[R]):
    """A callback belongs to one attempt of one browser, and is good once."""

    async def test_state_absent(self) -> None:
        """No state."""
        await self.refuses("state.absent", self.rig.sign_in(state=None))

    async def test_state_forged(self) -> None:
        """A state that nobody was given."""
        await self.refuses("state.unknown", self.rig.sign_in(state="s" * 43))

    async def test_state_replayed(self) -> None:
        """The very same callback again."""
        query = await self.rig.callback()
        await self.rig.flow.complete(query, BROWSER)
        await self.refuses("state.unknown", self.rig.flow.complete(query, BROWSER))

    async def test_state_is_spent_by_a_refusal(self) -> None:
        """A callback that was refused once is not judged again, though its second form is right."""
        query = await self.rig.callback()
        await self.refuses("browser.other", self.rig.flow.complete(query, OTHER_BROWSER))
        await self.refuses("state.unknown", self.rig.flow.complete(query, BROWSER))

    async def test_state_from_another_browser(self) -> None:
        """An attacker's own callback in the browser of somebody else, and one without the cookie."""
        await self.refuses("browser.other", self.rig.sign_in(browser=OTHER_BROWSER))
        await self.refuses("browser.other", self.rig.sign_in(browser=b""))

    async def test_attempt_expired(self) -> None:
        """A person who took more than ten minutes."""
        query = await self.rig.callback()
        self.rig.clock.advance(600)
        await self.refuses("state.unknown", self.rig.flow.complete(query, BROWSER))

    async def test_code_of_another_attempt(self) -> None:
        """A stolen code under the thief's own state: the issuer wants the verifier of the one it was stolen from."""
        stolen = parameters(await self.rig.callback())["code"]
        await self.refuses("code.refused", self.rig.sign_in(code=stolen))

    async def test_code_replayed(self) -> None:
        """A code that has been redeemed already."""
        query = await self.rig.callback()
        await self.rig.flow.complete(query, BROWSER)
        await self.refuses("code.refused", self.rig.sign_in(code=parameters(query)["code"]))

    async def test_code_absent(self) -> None:
        """Neither a code nor an error."""
        await self.refuses("code.absent", self.rig.sign_in(code=None))

    async def test_verifier_wrong(self) -> None:
        """The issuer compares the verifier with the challenge that we sent: another one redeems nothing."""
        self.rig.tampering.form(lambda form: form.update(code_verifier="v" * 43))
        await self.refuses("code.refused")

    async def test_verifier_absent(self) -> None:
        """Nor does none."""
        self.rig.tampering.form(lambda form: form.pop("code_verifier"))
        await self.refuses("code.refused")

    async def test_redirect_wrong(self) -> None:
        """The issuer compares the redirect address, too."""
        self.rig.tampering.form(lambda form: form.update(redirect_uri="https://evil.example/callback"))
        await self.refuses("code.refused")

    async def test_iss_of_another_issuer(self) -> None:
        """A callback that says it comes from another issuer; its code is sent nowhere."""
        await self.refuses("callback.issuer_wrong", self.rig.sign_in(iss="https://evil.example"))
        self.assertNotIn(TOKEN, self.rig.tampering.asked)

    async def test_iss_absent(self) -> None:
        """A callback that does not say where it comes from, though this issuer always does."""
        await self.refuses("callback.issuer_absent", self.rig.sign_in(iss=None))

    async def test_error_with_html(self) -> None:
        """An error with markup in it is refused with our own words."""
        script, image = "<script>alert(1)</script>", "<img src=x onerror=alert(1)>"
        await self.refuses("issuer.error", self.rig.sign_in(code=None, error=script, error_description=image))

    async def test_denied(self) -> None:
        """The person said no."""
        await self.refuses("issuer.denied", self.rig.sign_in(code=None, error="access_denied"))

    async def test_error_of_another_issuer(self) -> None:
        """An error is believed from the issuer that was asked, and from no other."""
        await self.refuses("callback.issuer_wrong", self.rig.sign_in(error="access_denied", iss="https://evil.example"))

    async def test_repeated_parameters(self) -> None:
        """A parameter that is there twice, ours or not, with one value or two."""
        query = await self.rig.callback()
        for more in (b"&state=x", b"&code=x", b"&x=1&x=1", b"&%73tate=x", b"&" + query):
            await self.refuses("callback.malformed", self.rig.flow.complete(query + more, BROWSER))
        await self.rig.flow.complete(query, BROWSER)

    async def test_oversized(self) -> None:
        """A query or a parameter larger than any issuer's."""
        query = await self.rig.callback()
        for wrong in (query + b"&x=" + b"x" * 9000, changed(query, code="c" * 4097), changed(query, state="s" * 1025)):
            await self.refuses("callback.malformed", self.rig.flow.complete(wrong, BROWSER))


class IssuerTests(SignInSuite[R]):
    """An issuer that answers wrongly signs nobody in."""

    async def test_discovery_of_another_issuer(self) -> None:
        """The metadata speaks for another issuer, or for almost this one."""
        for other in ("https://evil.example", self.rig.settings.issuer + "/", self.rig.settings.issuer.upper()):
            self.rig.again()
            self.rig.configure()
            self.rig.tampering.members(DISCOVERY, _update(issuer=other))
            await self.has_no_answer("discovery.issuer")

    async def test_discovery_endpoints(self) -> None:
        """An endpoint that is elsewhere than endpoints are."""
        for url in ("http://evil.example/token", "https://10.0.0.1/token", "file:///etc/passwd", "https://a@evil.example/t", 5, None):
            self.rig.again()
            self.rig.configure()
            self.rig.tampering.members(DISCOVERY, _update(token_endpoint=url))
            await self.has_no_answer("discovery.endpoint")

    async def test_discovery_without_pkce(self) -> None:
        """An issuer that knows PKCE by `plain` alone."""
        self.rig.tampering.members(DISCOVERY, lambda members: members.update(code_challenge_methods_supported=["plain"]))
        await self.has_no_answer("discovery.unsupported")

    async def test_discovery_redirects(self) -> None:
        """Redirects are not followed."""
        self.rig.tampering.status(DISCOVERY, 302, (b"Location", b"https://evil.example/"))
        await self.has_no_answer("discovery.redirected")

    async def test_discovery_is_html(self) -> None:
        """A page in place of the metadata."""
        page = HTTPAnswer(200, ((b"Content-Type", b"text/html"),), b"{}")
        self.rig.tampering.change(DISCOVERY, lambda answer: page)
        await self.has_no_answer("discovery.content_type")

    async def test_jwks_500(self) -> None:
        """The issuer cannot say what its keys are."""
        self.rig.tampering.status(JWKS, 500)
        await self.has_no_answer("jwks.status")

    async def test_jwks_malformed(self) -> None:
        """A set of keys that is none."""
        for wrong in (b"", b"[]", b"{}", b'{"keys": 5}', b'{"keys": [5]}', b'{"keys":[],"keys":[]}', b"[" * 10000):
            self.rig.again()
            self.rig.configure()
            self.rig.tampering.change(JWKS, _of_json(wrong))
            await self.has_no_answer("jwks.malformed")

    async def test_token_endpoint_redirects(self) -> None:
        """A redirect from the token endpoint is not followed: the code goes nowhere else."""
        self.rig.tampering.status(TOKEN, 302, (b"Location", b"https://evil.example/"))
        await self.has_no_answer("token.redirected")
        self.assertEqual(self.rig.tampering.asked.count(TOKEN), 1)

    async def test_token_endpoint_fails(self) -> None:
        """The issuer fails, or takes us for somebody else: nobody else's fault."""
        cases: list[tuple[Callable[[Claims], object], int, str]] = [
            (lambda members: members.clear(), 500, "token.status"),
            (lambda members: members.update(error="invalid_client"), 401, "token.client_refused"),
            (lambda members: members.update(error="unauthorized_client"), 400, "token.client_refused"),
            (lambda members: members.update(error="<b>"), 400, "token.status"),
            (lambda members: members.pop("id_token"), 200, "token.malformed"),
            (lambda members: members.pop("access_token"), 200, "token.malformed"),
            (lambda members: members.update(access_token="a\r\nX: y"), 200, "token.malformed"),
            (lambda members: members.update(token_type="mac"), 200, "token.malformed"),
        ]
        for change, status, reason in cases:
            self.rig.again()
            self.rig.tampering.members(TOKEN, change)
            self.rig.tampering.status(TOKEN, status)
            await self.has_no_answer(reason)


class SecrecyTests(SignInSuite[R]):
    """What is secret stays in the back end."""

    async def test_nothing_secret_is_logged_or_shown(self) -> None:
        """No token, code, state or verifier gets into a log event, a value's repr or an exception, signed in or refused."""
        events: list[str] = []

        @provider(ILogObserver)
        def observe(event: LogEvent) -> None:
            events.append(repr(event))

        globalLogPublisher.addObserver(observe)
        self.addCleanup(globalLogPublisher.removeObserver, observe)
        url = await self.rig.start()
        query = await self.rig.visit(url)
        signed_in = await self.rig.flow.complete(query, BROWSER)
        self.forge(nonce="wrong")
        try:
            await self.rig.sign_in()
        except SignInRefused as refusal:
            events += [repr(refusal), str(refusal), repr(refusal.__cause__)]
        shown = "\n".join([*events, repr(signed_in), repr(self.rig.attempts), repr(self.rig.settings), repr(self.rig.flow)])
        form = parameters(self.rig.tampering.bodies[0])
        secrets = [*self.rig.tampering.tokens, form["code"], form["code_verifier"], parameters(query)["state"]]
        self.assertTrue(all(len(secret) > 20 for secret in secrets))
        for secret in secrets:
            self.assertNotIn(secret, shown)


def _lay_over(claims: Claims, changes: dict[str, object]) -> None:
    for name, value in changes.items():
        if value is None:
            claims.pop(name, None)
        else:
            claims[name] = value


def _update(**changes: object) -> Callable[[Claims], object]:
    return lambda members: members.update(changes)


def _unsigned(algorithm: str) -> Callable[[str], str]:
    return lambda token: unsigned(claims_of(token), algorithm)


def _keyed_with(secret: bytes, kid: str) -> Callable[[str], str]:
    return lambda token: keyed_with(secret, claims_of(token), kid)


def _of_json(text: bytes) -> Callable[[HTTPAnswer], HTTPAnswer]:
    return lambda answer: HTTPAnswer(200, ((b"Content-Type", b"application/json"),), text)
