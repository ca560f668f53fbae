"""What a linear classifier can read from frozen latents: the phone, or the speaker."""
