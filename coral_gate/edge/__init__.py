"""The only door: a browser's connection, one exchange at a time, under deadlines and limits."""
