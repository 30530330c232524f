"""Studies of the systems in `covey.measure`."""
