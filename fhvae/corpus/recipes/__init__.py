"""One corpus, one file: from what its publishers give to utterances of train, dev and test."""
