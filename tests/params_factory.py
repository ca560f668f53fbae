"""Sections of params at sizes for tests, which all differ; `changes` are keys of the section."""

from dataclasses import replace

from fhvae.params.fbank import FbankParams
from fhvae.params.ivector import IvectorParams
from fhvae.params.model import ModelParams

MELS = 7


def model_params(**changes: object) -> ModelParams:
    made = ModelParams(
        cell="lstm",
        layers=1,
        cells=6,
        z1=3,
        z2=2,
        z1_std=1.0,
        z2_std=0.5,
        mu2_std=1.0,
        least_log_variance=None,
    )
    return replace(made, **changes)  # type: ignore[arg-type]


def fbank_params(**changes: object) -> FbankParams:
    made = FbankParams(
        window_ms=25.0,
        hop_ms=10.0,
        fft_size=512,
        mels=MELS,
        preemphasis=0.97,
        power=1.0,
        log_floor=-20.0,
        store="float32",
        silent_share=0.05,
    )
    return replace(made, **changes)  # type: ignore[arg-type]


def ivector_params(**changes: object) -> IvectorParams:
    made = IvectorParams(
        coefficients=5,
        mels=11,
        vad_db=(30.0,),
        normalization=("mean_variance",),
        gaussians=(2,),
        gaussian_frames=500,
        ubm_frames=100,
        ubm_iterations=5,
        rank_utterances=3,
        ranks=(2,),
        iterations=3,
    )
    return replace(made, **changes)  # type: ignore[arg-type]
