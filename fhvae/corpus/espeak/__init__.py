"""The embedded corpus: formant speech of made-up speakers, synthesized by espeak-ng."""
