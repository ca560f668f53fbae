"""Pairs of utterances and their error rates: what training, i-vectors and verification share."""
