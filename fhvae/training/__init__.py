"""Training: batches, a step, the table of mu2, one loop, dev, the record, checkpoints."""
