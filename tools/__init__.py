"""What `make` runs: programs of their own that use the standard library alone."""
