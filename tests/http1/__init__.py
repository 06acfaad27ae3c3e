"""The strict reader."""
