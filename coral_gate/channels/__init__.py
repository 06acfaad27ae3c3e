"""What serves an allowed request: one kind of connection a file."""
