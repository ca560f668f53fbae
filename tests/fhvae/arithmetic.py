"""Print a hash for each kind of arithmetic that a figure goes through, as JSON.

Run by test_portable.py in a process of its own, capped by fhvae/portable.py.
"""

import hashlib
import json

import numpy as np
import torch

from fhvae.params.model import ModelParams
from fhvae.params.segments import SegmentsParams
from fhvae.params.training import TrainingParams
from fhvae.training.learner import Learner
from fhvae.training.world import World

MELS, UTTERANCES, STEPS, BATCH = 80, 100, 3, 64


def hashed(*arrays: np.ndarray | torch.Tensor) -> str:
    whole = hashlib.sha256()
    for array in arrays:
        whole.update(np.ascontiguousarray(array).tobytes())
    return whole.hexdigest()[:12]


def of_numpy() -> dict[str, str]:
    import scipy.fft
    import scipy.linalg
    import scipy.special

    wide = np.random.default_rng(0).standard_normal((64, 80))
    narrow = wide.astype(np.float32)
    return {
        "numpy functions float32": hashed(
            np.exp(narrow), np.log(abs(narrow) + 1), np.tanh(narrow), np.sin(narrow)
        ),
        "numpy functions float64": hashed(
            np.exp(wide), np.log(abs(wide) + 1), np.tanh(wide), abs(wide) ** 1.5, np.sin(wide)
        ),
        "numpy sums": hashed(narrow.sum(0), narrow.sum(1), wide.mean(0), wide.std()),
        "numpy products": hashed(narrow @ narrow.T, wide @ wide.T, np.einsum("ij,kj", wide, wide)),
        "LAPACK": hashed(*np.linalg.eigh(wide @ wide.T), scipy.linalg.svdvals(wide)),
        "scipy": hashed(
            scipy.fft.rfft(wide), scipy.fft.dct(narrow), scipy.special.logsumexp(wide, axis=1)
        ),
    }


def of_audio() -> dict[str, str]:
    import librosa
    import soxr

    signal = np.random.default_rng(1).standard_normal(16_000)
    return {
        "soxr": hashed(soxr.resample(signal, 44_100, 16_000)),
        "librosa": hashed(
            librosa.stft(signal, n_fft=512), librosa.feature.mfcc(y=signal.astype(np.float32))
        ),
    }


def of_sklearn() -> dict[str, str]:
    from sklearn.cluster import KMeans
    from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
    from sklearn.manifold import TSNE

    random = np.random.default_rng(2)
    rows, labels = random.standard_normal((90, 7)), random.integers(0, 4, 90)
    return {
        "LDA": hashed(LinearDiscriminantAnalysis().fit(rows, labels).transform(rows)),
        "k-means": hashed(KMeans(5, n_init=1, random_state=0).fit(rows).cluster_centers_),
        "t-SNE": hashed(TSNE(init="pca", random_state=0, max_iter=250).fit_transform(rows)),
    }


def of_torch() -> dict[str, str]:
    generator = torch.Generator().manual_seed(1)
    rows = torch.randn(64, 80, generator=generator)
    weights = torch.randn(80, 512, generator=generator)
    found = {
        "torch random numbers": hashed(rows, torch.rand(64, 64, generator=generator)),
        "torch functions": hashed(rows.exp(), rows.tanh(), rows.sigmoid(), rows.log_softmax(1)),
        "torch products": hashed(rows @ weights, rows.sum(0), rows.sum()),
    }
    own = torch.nn.Parameter(rows.clone())
    optimizer = torch.optim.Adam([own], 0.01, fused=True)
    for step in range(3):
        own.grad = (own * (step + 1)).sigmoid().detach()
        optimizer.step()
    found["Adam"] = hashed(own.detach())
    torch.manual_seed(0)
    for kind, layer in {"LSTM": torch.nn.LSTM(80, 128), "GRU": torch.nn.GRU(80, 128)}.items():
        shown = layer(rows.expand(3, -1, -1).contiguous())[0]
        shown.sum().backward()
        found[kind] = hashed(shown.detach(), layer.weight_hh_l0.grad)
    return found


def of_training() -> dict[str, str]:
    random = np.random.default_rng(3)
    segments = SegmentsParams(frames=15, train_shift=8, shift=15)
    model = ModelParams(
        cell="lstm",
        layers=1,
        cells=128,
        z1=96,
        z2=32,
        z1_std=1.0,
        z2_std=0.5,
        mu2_std=1.0,
        least_log_variance=-6.0,
    )
    training = TrainingParams(
        domains="clean",
        mu2_table="closed_form",
        block_sequences=0,
        sequence="utterance",
        batch=BATCH,
        learning_rate=0.004,
        precision="float32",
        average=0.998,
        skip_nearest=0,
        mask_mels=0,
        gain_db=0.0,
        noise_floor_db=(),
        adam_beta1=0.95,
        adam_beta2=0.999,
        epoch_steps=STEPS,
        max_epochs=1,
        patience=1,
        collapse_kl_z2=10.0,
        collapse_variance_z2=3.0,
        collapse_log_q=0.5,
        collapse_log_variance_x=-5.0,
        collapse_certain_share=0.05,
    )
    cpu = torch.device("cpu")
    learner = Learner(MELS, UTTERANCES, 10.0, 0, segments, model, training, cpu, World())
    sizes = torch.full((UTTERANCES,), 20.0)
    for _ in range(STEPS):
        frames = random.standard_normal((segments.frames, BATCH, MELS)).astype(np.float32)
        owners = torch.from_numpy(random.integers(0, UTTERANCES, BATCH))
        learner.step(torch.from_numpy(frames), owners, sizes[owners])
    return {"training steps": hashed(*learner.network.state_dict().values())}


if __name__ == "__main__":
    torch.set_num_threads(1)
    kinds = of_numpy() | of_audio() | of_sklearn() | of_torch() | of_training()
    print(json.dumps(kinds, indent=2))
