"""What serves an allowed request."""
