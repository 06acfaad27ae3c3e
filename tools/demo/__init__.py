"""`make demo`: the gate, a sandbox with the real OpenClaw and a model, on this machine."""
