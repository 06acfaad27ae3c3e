"""The operator's command `coral-gate`: a verb a file."""
