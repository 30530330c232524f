"""Studies of the room `compare`."""
