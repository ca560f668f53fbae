"""Phone recognition: one recogniser for every input, in matched and mismatched conditions."""
