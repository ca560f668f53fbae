"""Training: the table of mu2, passes over segments, one loop, dev, checkpoints."""
