"""The promises of the configuration."""
