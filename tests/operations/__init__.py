"""What operators watch and turn."""
