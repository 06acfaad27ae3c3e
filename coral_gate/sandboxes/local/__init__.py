"""Sandboxes that are OpenClaw processes on the gate's own machine: for trying out, not for people who must not trust each other."""
