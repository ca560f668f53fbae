"""Signal processing: samples to normalized log-mel frames."""
