"""Custody: sealed values, keys, credentials."""
