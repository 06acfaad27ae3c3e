"""What was decided, recorded before it takes effect, in a chain that shows tampering."""
