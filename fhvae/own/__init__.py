"""A model of one's own recordings: a folder of audio in, a model folder out."""
