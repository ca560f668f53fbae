"""The model of the paper: networks, bound, discriminative term, weights on disk."""
