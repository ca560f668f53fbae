"""The i-vector: the baseline that the paper compares mu2 with."""
