"""How files are written, found, locked and shared out between stages and processes."""
