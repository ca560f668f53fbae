"""Trainings beyond the default run, and what came of them (results/)."""
