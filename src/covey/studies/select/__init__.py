"""Studies of the room `select`."""
