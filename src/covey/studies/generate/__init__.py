"""Studies of the room `generate`."""
