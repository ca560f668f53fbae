"""How well an utterance's vector tells who speaks: trials, scores, error rates, intervals."""
