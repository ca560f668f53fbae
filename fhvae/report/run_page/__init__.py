"""One run as one page: what was trained on what, how good it is, how it looks and sounds."""
