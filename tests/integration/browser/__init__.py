"""A real Chromium, and a house that it visits: the daemon, an issuer that is not ours, sandboxes that attack."""
