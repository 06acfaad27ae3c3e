"""Tests of coral_gate.sandboxes."""
