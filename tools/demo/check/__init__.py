"""`make demo CHECK=1`: one walk through everything, a function a step."""
