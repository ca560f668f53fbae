"""Corpora: each file yields `Recording`s; `store` writes and reads the local copy."""
