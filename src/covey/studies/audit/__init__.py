"""Studies of the room `audit`."""
