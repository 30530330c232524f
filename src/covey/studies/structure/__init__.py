"""Studies of the room `structure`."""
