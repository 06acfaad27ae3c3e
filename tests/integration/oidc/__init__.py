"""An OpenID provider that is not ours, and what stands between it and the client under test."""
