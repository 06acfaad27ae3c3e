"""What an issuer says about itself, and where its endpoints may be."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from coral_gate.config.issuer_urls import issuer_url
from coral_gate.errors import IssuerUnavailable
from coral_gate.identity.metadata import metadata_url, parse_metadata
from coral_gate.identity.urls import check_endpoint

GOOGLE = "https://accounts.google.com"

# As published by Google, less what nobody here reads.
GOOGLES: dict[str, Any] = {
    "issuer": GOOGLE,
    "authorization_endpoint": "https://accounts.google.com/o/oauth2/v2/auth",
    "token_endpoint": "https://oauth2.googleapis.com/token",
    "userinfo_endpoint": "https://openidconnect.googleapis.com/v1/userinfo",
    "jwks_uri": "https://www.googleapis.com/oauth2/v3/certs",
    "response_types_supported": ["code", "token", "id_token", "code token", "none"],
    "token_endpoint_auth_methods_supported": ["client_secret_post", "client_secret_basic"],
    "code_challenge_methods_supported": ["plain", "S256"],
}


def text(**changes: object) -> bytes:
    return json.dumps({**GOOGLES, **changes}).encode()


class MetadataTests(SynchronousTestCase):
    """`parse_metadata`."""

    def fails(self, reason: str, document: bytes) -> None:
        fault = self.assertRaises(IssuerUnavailable, parse_metadata, document, GOOGLE)
        self.assertEqual(fault.reason, f"discovery.{reason}")

    def test_googles(self) -> None:
        """Google's endpoints, which lie on other hosts than the issuer."""
        metadata = parse_metadata(text(), GOOGLE)
        self.assertEqual(metadata.token_endpoint, "https://oauth2.googleapis.com/token")
        self.assertEqual(metadata.jwks_uri, "https://www.googleapis.com/oauth2/v3/certs")
        self.assertEqual(metadata.token_auth_methods, {"client_secret_post", "client_secret_basic"})
        self.assertFalse(metadata.iss_in_callback)

    def test_defaults(self) -> None:
        """What an issuer may leave out (OpenID Connect Discovery 1.0 §3)."""
        few = {name: GOOGLES[name] for name in ("issuer", "authorization_endpoint", "token_endpoint", "jwks_uri")}
        metadata = parse_metadata(json.dumps(few).encode(), GOOGLE)
        self.assertEqual(metadata.token_auth_methods, {"client_secret_basic"})
        self.assertIsNone(metadata.userinfo_endpoint)

    def test_issuer(self) -> None:
        """Exactly the configured one."""
        for other in (GOOGLE + "/", "https://accounts.google.com:443", GOOGLE.upper(), None, [GOOGLE], ""):
            self.fails("issuer", text(issuer=other))

    def test_malformed(self) -> None:
        """No object, or members of the wrong type."""
        self.fails("malformed", b"[]")
        self.fails("malformed", text(authorization_response_iss_parameter_supported="true"))
        self.fails("malformed", text(token_endpoint_auth_methods_supported="client_secret_basic"))
        self.fails("malformed", text(response_types_supported=[5]))

    def test_unsupported(self) -> None:
        """No code flow, or PKCE without S256."""
        self.fails("unsupported", text(response_types_supported=["id_token"]))
        self.fails("unsupported", text(code_challenge_methods_supported=["plain"]))

    def test_endpoints(self) -> None:
        """Each endpoint is checked."""
        for name in ("authorization_endpoint", "token_endpoint", "userinfo_endpoint", "jwks_uri"):
            self.fails("endpoint", text(**{name: "http://accounts.google.com/x"}))
            self.fails("endpoint", text(**{name: None}))

    def test_where_it_is(self) -> None:
        """The well-known path follows the issuer's own, one slash between."""
        for issuer in ("https://a.example/realms/x", "https://a.example/realms/x/"):
            self.assertEqual(metadata_url(issuer), "https://a.example/realms/x/.well-known/openid-configuration")

    @given(st.recursive(st.none() | st.booleans() | st.text() | st.integers(), lambda x: st.lists(x, max_size=2), max_leaves=4))
    def test_nothing_else_escapes(self, value: object) -> None:
        """Any value in any member gives metadata or the fault."""
        for name in GOOGLES:
            try:
                parse_metadata(text(**{name: value}), GOOGLE)
            except IssuerUnavailable:
                pass


class AddressTests(SynchronousTestCase):
    """Issuers and endpoints."""

    def test_issuers(self) -> None:
        """https, or loopback."""
        for url in (GOOGLE, "https://id.example:8443/realms/a", "http://127.0.0.1:5", "http://[::1]:5/x", "http://a.localhost:5"):
            self.assertEqual(issuer_url(url), url)

    def test_no_issuers(self) -> None:
        """Everything else."""
        refused = [
            "http://accounts.google.com",
            "https://accounts.google.com?x",
            "https://accounts.google.com#x",
            "https://user@accounts.google.com",
            "https://10.0.0.1",
            "https://127.1",
            "https://0x7f000001",
            "https://[::2]",
            "http://127.0.0.1.evil.example",
            "http://localhost.evil.example",
            "http://evillocalhost",
            "https://",
            "https:///x",
            "//accounts.google.com",
            "ftp://accounts.google.com",
            "https://accounts.google.com\\@evil.example",
            "https://accounts.google.com\n",
            "https://accounts.google.com:70000",
            "https://accounts.google.com:x",
            "https://accöunts.example",
            "https://-a.example",
            "https://a..example",
            "",
        ]
        for url in refused:
            self.assertRaises(ValueError, issuer_url, url)

    def test_endpoints_of_an_issuer_on_the_network(self) -> None:
        """They never lie on this machine, at a bare address or at a name of our own domain."""
        for url in ("https://login.example/token", "https://accounts.google.com:444/x?y=z", "https://xn--bcher-kva.example/"):
            check_endpoint(url, GOOGLE)
        refused = [
            "https://127.0.0.1/",
            "https://localhost/",
            "https://x.localhost/",
            "https://169.254.169.254/latest",
            "https://[::1]/",
            "https://metadata/",
            "https://2130706433/",
            "https://a.0x7f/",
            "http://login.example/",
            "https://login.example/#x",
            "https://a:b@login.example/",
        ]
        for url in refused:
            self.assertRaises(ValueError, check_endpoint, url, GOOGLE)

    def test_endpoints_of_an_issuer_in_our_own_domain(self) -> None:
        """An issuer whose name has no dot may have its endpoints beside it."""
        check_endpoint("https://keycloak:8443/token", "https://keycloak:8443/realms/a")
        self.assertRaises(ValueError, check_endpoint, "https://vault:8443/token", "https://keycloak:8443/realms/a")

    def test_endpoints_of_an_issuer_on_loopback(self) -> None:
        """They lie there too."""
        check_endpoint("http://127.0.0.1:9/token", "http://127.0.0.1:8")
        self.assertRaises(ValueError, check_endpoint, "https://evil.example/token", "http://127.0.0.1:8")
