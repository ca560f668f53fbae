"""Corpus name -> its recordings. A new corpus is one new module and one case in `listing`."""

from collections.abc import Generator

from fhvae.corpus.listing import Listing
from fhvae.corpus.manifest import Recording, Refused
from fhvae.params.corpus import CorpusParams


def recordings(params: CorpusParams, seed: int) -> Generator[Recording | Refused, None, None]:
    """Give the recordings of the corpus that `corpus.name` names, split by split.

    Args:
        params: section `corpus`.
        seed: of the run; decides the split where the corpus leaves it open, and every
            voice of a synthetic one.
    """
    if params.name == "espeak":
        from fhvae.corpus.espeak import generate

        yield from generate.recordings(params.espeak, seed)
    else:
        from fhvae.corpus.decoding import decode

        yield from decode(listing(params, seed), params.bad_audio)


def listing(params: CorpusParams, seed: int) -> Listing:
    """List a recorded corpus; a published one is downloaded where it is not there."""
    match params.name:
        case "manifest":
            from fhvae.corpus.recipes.folder import read_folder

            return read_folder(params, seed)
        case "timit":
            from fhvae.corpus.recipes.timit import read_timit

            return read_timit(params, seed)
        case "librispeech":
            from fhvae.corpus.recipes.librispeech import read_librispeech

            return read_librispeech(params, seed)
        case "speechocean762":
            from fhvae.corpus.recipes.speechocean762 import read_speechocean762

            return read_speechocean762(params, seed)
        case "vctk":
            from fhvae.corpus.recipes.vctk import read_vctk

            return read_vctk(params, seed)
    raise ValueError(f"{params.name} has no listing")
