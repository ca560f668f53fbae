"""Section `listening`: how much speech is converted and denoised to be measured."""

from dataclasses import dataclass

from fhvae.params.reading import number


@dataclass(frozen=True, kw_only=True)
class ListeningParams:
    """How much speech of test speakers the stage convert changes.

    Attributes:
        rounds: of pairs; in each everybody is once the source and once the target.
        references: utterances of the target that a conversion hears, and clean ones of a
            speaker that a denoising hears.
        enrolled: other utterances of a speaker that a judge of voices hears.
        denoised: utterances of each speaker.
        examples: conversions, and denoised utterances, whose sound is kept.
    """

    rounds: int = number(least=1)
    references: int = number(least=1)
    enrolled: int = number(least=1)
    denoised: int = number(least=1)
    examples: int = number(least=0)
