"""Studies of the room `partition`."""
