"""Secrets at rest: sealed, versioned, bound to their row and owner, opened for exactly one sandbox."""
