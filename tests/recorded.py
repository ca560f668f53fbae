"""Recorded speech with hand labels, which is no part of the repository."""

import os
from pathlib import Path

import pytest

# manifest.csv, phones.csv and the recordings of eight speakers of TIMIT
TIMIT_SAMPLE = Path(os.environ.get("FHVAE_TIMIT_SAMPLE", "none"))
with_timit_sample = pytest.mark.skipif(
    not TIMIT_SAMPLE.is_dir(),
    reason="FHVAE_TIMIT_SAMPLE names no folder with manifest.csv and phones.csv of eight speakers",
)

# manifest.csv and the recordings of the 108 adults of speechocean762
SPEECHOCEAN762 = Path(
    os.environ.get(
        "FHVAE_SPEECHOCEAN762",
        Path(__file__).resolve().parents[2] / "shared/data/speechocean762",
    )
)
with_speechocean762 = pytest.mark.skipif(
    not SPEECHOCEAN762.is_dir(),
    reason="FHVAE_SPEECHOCEAN762 names no folder with manifest.csv of speechocean762's adults",
)
