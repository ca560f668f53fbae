"""Factorized hierarchical variational autoencoder for speech (Hsu, Zhang, Glass, NIPS 2017)."""
