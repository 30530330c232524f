"""Can features be learned so that they relate as they should? Losses and representation learners."""
