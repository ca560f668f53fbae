"""Corpus name -> its recordings. A new corpus is one new module and one line in `recordings`."""

from collections.abc import Generator

from fhvae.corpus.manifest import Recording, Refused
from fhvae.params import CorpusParams


def recordings(params: CorpusParams, seed: int) -> Generator[Recording | Refused, None, None]:
    """Give the recordings of the corpus that `corpus.name` names, split by split.

    Args:
        params: section `corpus`.
        seed: of the run; decides the split where the corpus leaves it open, and every
            voice of a synthetic one.
    """
    match params.name:
        case "espeak":
            from fhvae.corpus.espeak import generate

            yield from generate.recordings(params.espeak, seed)
        case "manifest":
            from fhvae.corpus.decoding import decode
            from fhvae.corpus.folder import read_folder

            yield from decode(read_folder(params, seed), params.bad_audio)
        case "timit":
            from fhvae.corpus.decoding import decode
            from fhvae.corpus.timit import read_timit

            yield from decode(read_timit(params, seed), params.bad_audio)
