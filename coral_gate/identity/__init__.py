"""Who a person is: OpenID Connect, and the built-in issuer for trying out."""
