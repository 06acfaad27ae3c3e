"""What operators watch and turn: metrics, health, reload."""
