"""Tests against real programs: real ports on loopback, real processes, real servers."""
