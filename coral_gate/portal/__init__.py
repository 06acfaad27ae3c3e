"""The trusted pages."""
