"""Stores: one contract suite per interface, run against each provider; isolation of rows; the file."""
