"""Public archives: downloaded whole and verified, unpacked without trusting their headers."""
