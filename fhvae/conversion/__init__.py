"""Voices changed: by gains on the source's own spectrum, or where there is none, by Griffin-Lim."""
