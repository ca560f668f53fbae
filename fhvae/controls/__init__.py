"""What a result is compared with: PCA of equal size, and inputs without level or mean."""
