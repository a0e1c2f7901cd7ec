"""Use cases: what the product does, whoever asks and whatever is behind."""
