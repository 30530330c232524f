"""What if the features are spread over parties? Splits, measures of them, and the algorithms that face them."""
