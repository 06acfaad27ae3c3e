"""
Coral Gate: the front door of a house of AI-agent sandboxes.

A request's way is the order of the packages: `edge` reads it, `gate` decides on it, `channels` serve it, `sandboxes` say where it goes.
"""

__version__ = "0.1.0"
