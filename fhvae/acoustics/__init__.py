"""Degraded copies of utterances: the target side of the mismatch matrix."""
