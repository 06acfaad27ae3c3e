"""Durable and ephemeral rows behind the interfaces."""
