"""What probes read from frozen codes: the phone, the speaker, and what else a corpus knows."""
