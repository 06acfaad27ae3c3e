"""Tests of who a person is."""
