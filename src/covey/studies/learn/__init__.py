"""Studies of losses and representation learners."""
