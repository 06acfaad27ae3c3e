"""The edge: connections, exchanges, deadlines, limits."""
