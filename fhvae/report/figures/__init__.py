"""Figures: each file draws one, from arrays to a PNG."""
