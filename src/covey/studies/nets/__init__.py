"""Studies of the room `nets`."""
