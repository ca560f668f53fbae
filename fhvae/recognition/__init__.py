"""Phone recognition: one recognizer for every input, in matched and mismatched conditions."""
