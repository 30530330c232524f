"""Whole networks whose heart is a correlation between features, and the blocks that they are made of."""
