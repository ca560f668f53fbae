"""A model in use: what is computed is what the stages compute, and what is wrong is told."""

import dataclasses
import io
import shutil
import tempfile

import numpy as np
import pytest
import soundfile
import torch
from safetensors.numpy import load_file, save_file

import fhvae
from fhvae.errors import ArtifactError, CorpusError, ParamsError, TrialError
from fhvae.features.fbank import log_mel
from fhvae.features.normalize import Normalizer, write_normalizer
from fhvae.inference import infer_groups
from fhvae.model.network import FHVAE
from fhvae.model.weights import Calibration, write_model
from fhvae.params.segments import SegmentsParams
from tests.params_factory import MELS, fbank_params, model_params
from tests.tones import write_tone_corpus

SEGMENTS = SegmentsParams(frames=5, train_shift=2, shift=4)
CLEAN = np.array([0.5, -0.25])


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A model folder and some audio files."""
    folder = tmp_path_factory.mktemp("use")
    torch.manual_seed(0)
    network = FHVAE(MELS, SEGMENTS.frames, model_params())
    write_normalizer(folder / "n.json", Normalizer(np.full(MELS, -3.0), np.full(MELS, 2.0)))
    parts = (network.state_dict(), network.params, SEGMENTS, fbank_params(), folder / "n.json")
    write_model(folder / "model", *parts, clean_mu2=CLEAN)
    write_model(folder / "bare", *parts, calibration=Calibration(scale=10.0, offset=-4.0))
    write_tone_corpus(folder / "audio", {"test": 2}, utterances=2, seconds=0.5)
    return folder


@pytest.fixture
def model(folder):
    return fhvae.load(folder / "model")


@pytest.fixture
def files(folder):
    return fhvae.audio_files(folder / "audio")


def test_mu2_is_that_of_the_stage_latents(model, files):
    samples, _ = soundfile.read(files[0], dtype="int16")
    frames = model.trained.normalizer.apply(log_mel(samples, model.trained.fbank))
    (wanted,) = infer_groups(model.trained, [("a", frames)], SEGMENTS.shift)
    assert np.allclose(model.embed(files[0]), wanted.mu2[0], atol=1e-5)
    assert np.allclose(model.embed(samples, 16000), wanted.mu2[0], atol=1e-5)
    found = model.encode(files[0])
    assert np.allclose(found.z1, wanted.z1_mean, atol=1e-5)
    assert np.allclose(found.z2, wanted.z2_mean, atol=1e-5)
    assert found.times_s.tolist() == pytest.approx([0.02 + 0.04 * k for k in range(len(found.z1))])


def test_long_recordings_are_encoded_in_chunks(model, files, monkeypatch):
    whole = model.encode(files[0])
    monkeypatch.setattr("fhvae.conversion.voice.CHUNK_SEGMENTS", 3)
    parts = model.encode(files[0])
    assert np.allclose(parts.z2, whole.z2, atol=1e-5)
    assert np.allclose(parts.mu2, whole.mu2, atol=1e-5)
    assert np.allclose(model.embed(files[0]), whole.mu2, atol=1e-5)


def test_one_recording_a_list_and_a_folder(model, folder, files):
    several = model.embed(files)
    assert several.shape == (4, 2)
    assert np.array_equal(several, model.embed(folder / "audio"))
    assert np.array_equal(several[2], model.embed(str(files[2])))


def test_scores_are_cosines_or_calibrated(model, folder, files):
    a, b = model.embed(files[0]), model.embed(files[3])
    cosine = a @ b / np.linalg.norm(a) / np.linalg.norm(b)
    assert model.score(files[0], files[3]) == pytest.approx(cosine, abs=1e-6)
    calibrated = fhvae.load(folder / "bare")
    assert calibrated.score(files[0], files[3]) == pytest.approx(10 * cosine - 4, abs=1e-5)
    assert model.score(files[:2], files[:2]) == pytest.approx(1.0)


def test_a_conversion_of_no_strength_is_the_source(model, files):
    given, rate_hz = soundfile.read(files[0], dtype="float32")
    found = model.convert(files[0], files[2:], strength=0)
    assert found.rate_hz == rate_hz
    assert np.abs(found.samples - given).max() < 1e-6


def test_a_conversion_moves_mu2_to_the_mean_of_the_targets(model, files, monkeypatch):
    steps = []

    def watch(trained, recording, mix, change, params):
        steps.append(change.step)
        return iter([np.zeros((recording.samples, 1))])

    monkeypatch.setattr("fhvae.pretrained.changed_blocks", watch)
    model.convert(files[0], files[2:], strength=1.5)
    model.denoise(files[0])
    model.denoise(files[0], clean=files[1])
    own, others = model.embed(files[0]), model.embed(files[2:])
    assert np.allclose(steps[0], 1.5 * (others.mean(axis=0) - own), atol=1e-6)
    assert np.allclose(steps[1], CLEAN - own, atol=1e-6)
    assert np.allclose(steps[2], model.embed(files[1]) - own, atol=1e-6)


def test_a_stereo_file_of_another_rate_stays_one(model, files, tmp_path):
    given = 0.2 * np.random.default_rng(0).normal(size=(22050, 2)).astype(np.float32)
    soundfile.write(tmp_path / "a.wav", given, 44100, subtype="PCM_24")
    assert model.convert(tmp_path / "a.wav", files[0], to=tmp_path / "b.wav") is None
    found = soundfile.info(tmp_path / "b.wav")
    assert (found.samplerate, found.channels, found.frames) == (44100, 2, 22050)
    assert found.subtype == "PCM_24"


def test_nothing_that_is_read_is_written_over(model, files, tmp_path):
    for number, path in enumerate(files[:3]):
        (tmp_path / f"{number}.wav").write_bytes(path.read_bytes())
    first, second, third = (tmp_path / f"{number}.wav" for number in range(3))
    for to in (str(first), second, third):
        with pytest.raises(ArtifactError, match="another file than those that are read"):
            model.convert(first, [str(second), third], to=to)
    with pytest.raises(ArtifactError, match="another file than those that are read"):
        model.denoise(first, clean=tmp_path, to=third)
    assert third.read_bytes() == files[2].read_bytes()


def test_what_would_be_too_loud_is_lowered_as_a_whole(model, files, tmp_path, monkeypatch):
    loud = np.array([[0.5], [-4.0], [1.0]])
    monkeypatch.setattr("fhvae.pretrained.changed_blocks", lambda *_: iter([loud, loud / 2]))
    found = model.convert(files[0], files[1])
    model.convert(files[0], files[1], to=tmp_path / "b.wav")
    wanted = np.concatenate([loud, loud / 2])[:, 0] / 4
    assert found.samples.tolist() == pytest.approx(wanted.tolist())
    written, _ = soundfile.read(tmp_path / "b.wav")
    assert written.tolist() == pytest.approx(wanted.tolist(), abs=1e-4)


def test_floats_beyond_full_scale_are_lowered_as_a_whole_in_a_file(model, files, tmp_path):
    samples, rate_hz = soundfile.read(files[0])
    loud = 1.9 * samples / np.abs(samples).max()
    soundfile.write(tmp_path / "a.wav", loud, rate_hz, subtype="FLOAT")
    found = model.convert(tmp_path / "a.wav", files[1], strength=0, pitch=False)
    assert found.samples == pytest.approx(loud, abs=1e-4)
    model.convert(tmp_path / "a.wav", files[1], to=tmp_path / "b.wav", strength=0, pitch=False)
    written, _ = soundfile.read(tmp_path / "b.wav")
    assert written == pytest.approx(loud / 1.9, abs=1e-4)


def test_a_container_that_cannot_hold_it_is_told_before_the_work(model, files, monkeypatch):
    samples, rate_hz = soundfile.read(files[0])
    monkeypatch.setattr("fhvae.pretrained.changed_blocks", None)
    with pytest.raises(ArtifactError, match="at most 8 channels"):
        model.denoise(np.tile(samples[:, None], 9), rate_hz, to="a.flac")


def test_a_full_disk_of_temporary_files_is_told_with_its_folder(model, files, monkeypatch):
    class Full(io.BytesIO):
        def write(self, content):
            raise OSError(28, "No space left on device")

    monkeypatch.setattr("tempfile.TemporaryFile", Full)
    with pytest.raises(OSError, match="No space") as refused:
        model.embed(files[0])
    assert refused.value.filename == tempfile.gettempdir()


@pytest.mark.slow
def test_griffin_lim_gives_sound_as_long_as_the_content(model, files):
    with soundfile.SoundFile(files[0]) as file:
        samples = file.frames
    for found in (
        model.reconstruct(files[0]),
        model.swap(files[0], files[3]),
        *model.traverse(files[0], 1, [-2.0, 2.0]),
        *model.traverse(files[0], 2, [1.0], latent="z1"),
        *model.interpolate(files[0], files[3], [0.5]),
    ):
        assert (found.samples.shape, found.rate_hz) == ((samples,), 16000)
        assert np.isfinite(found.samples).all()
    assert np.array_equal(model.sample(4, seed=1).samples, model.sample(4, seed=1).samples)
    assert not np.array_equal(model.sample(4, seed=1).samples, model.sample(4, seed=2).samples)


def test_a_traversal_of_nothing_and_an_interpolation_of_no_share_are_the_reconstruction(
    model, files
):
    wanted = model.reconstruct(files[0]).samples
    (still,) = model.traverse(files[0], 0, [0.0])
    (own,) = model.interpolate(files[0], files[3], [0.0])
    assert np.array_equal(still.samples, wanted)
    assert np.array_equal(own.samples, wanted)


@pytest.mark.parametrize(
    ("use", "error", "message"),
    [
        (lambda model: model.embed(np.ones(400) / 9, 16000), CorpusError, "at least 40 ms, .* 25 "),
        (lambda model: model.embed(np.ones(9000)), CorpusError, "come with their rate"),
        (lambda model: model.embed([]), CorpusError, "got an empty list"),
        (lambda model: model.convert("a.wav", "b.wav", strenght=2), ParamsError, "did you mean"),
        (lambda model: model.convert("a.wav", "b.wav", strength=9), ParamsError, "at most 4"),
        (lambda model: model.traverse("a.wav", 2, [1.0]), ParamsError, "must be 0 to 1, got 2"),
        (lambda model: model.sample(0), ParamsError, "segments must be at least 1, got 0"),
        (lambda model: model.embed(["a\0b.wav"]), ArtifactError, "must be the name of a file"),
        (lambda model: model.embed("a\ud800.wav"), ArtifactError, "must be the name of a file"),
        (lambda model: fhvae.load(mu2="Precision"), ParamsError, "one of mean, precision, got 'P"),
    ],
)
def test_what_is_wrong_is_told(model, use, error, message):
    with pytest.raises(error, match=message):
        use(model)


def test_a_model_that_is_not_there_is_told(folder, tmp_path, monkeypatch):
    monkeypatch.setattr("fhvae.pretrained.SHIPPED", tmp_path)
    with pytest.raises(ArtifactError, match="none is shipped"):
        fhvae.load()
    with pytest.raises(ArtifactError, match=r"must hold a model, config\.json is not there"):
        fhvae.load(tmp_path)
    with pytest.raises(ArtifactError, match="does not say it; give clean recordings"):
        fhvae.load(folder / "bare").denoise(fhvae.audio_files(folder / "audio")[0])
    with pytest.raises(CorpusError, match="must hold audio files"):
        fhvae.audio_files(tmp_path)


@pytest.fixture
def broken(folder, tmp_path):
    """Copy the model with all weights of some networks at 1e38, which float32 holds."""

    def copy(networks):
        made = shutil.copytree(folder / "model", tmp_path / "broken")
        weights = load_file(made / "model.safetensors")
        changed = {
            name: np.full_like(one, 1e38) if name.startswith(networks) else one
            for name, one in weights.items()
        }
        assert any((one == 1e38).any() for one in changed.values())
        save_file(changed, made / "model.safetensors")
        return fhvae.load(made)

    return copy


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(
    "use",
    [
        lambda model, a, b: model.embed(a),
        lambda model, a, b: model.encode(a),
        lambda model, a, b: model.score(a, b),
        lambda model, a, b: model.convert(a, b),
        lambda model, a, b: model.denoise(a),
        lambda model, a, b: model.swap(a, b),
    ],
)
def test_what_is_no_number_is_told_with_the_file(broken, files, use):
    model = broken("")
    with pytest.raises(
        ArtifactError, match=r"spk0\d-\d\.wav: what the model computes of it must be"
    ):
        use(model, files[0], files[2])


@pytest.mark.filterwarnings("error")
def test_sound_that_is_no_number_is_not_written(broken, files, tmp_path):
    model = broken("decoder")
    for change in (
        lambda: model.convert(files[0], files[2], to=tmp_path / "a.wav"),
        lambda: model.convert(files[0], files[2], match=0),
        lambda: model.denoise(files[0], to=tmp_path / "a.wav"),
    ):
        with pytest.raises(ArtifactError, match=r"spk00-0\.wav: what the model computes"):
            change()
    assert not (tmp_path / "a.wav").exists()


def test_a_score_that_is_no_number_is_told(folder, files):
    model = fhvae.load(folder / "bare")
    wild = dataclasses.replace(model.trained, calibration=Calibration(scale=1e308, offset=1e308))
    with pytest.raises(ArtifactError, match=r"spk00-0\.wav: its score must be finite, it is inf"):
        fhvae.Model(wild).score(files[:2], files[0])


def test_a_voice_without_direction_is_told_by_name(model):
    with pytest.raises(TrialError, match=r"utterance b\.wav: a vector must be finite and not zero"):
        model.compare(np.ones(2), np.zeros(2), ("a.wav", "b.wav"))


def test_a_voice_shorter_than_a_segment_is_told(model, files, tmp_path):
    soundfile.write(tmp_path / "short.wav", 0.1 * np.ones(400), 16000)
    with pytest.raises(CorpusError, match=r"short\.wav: must last at least 40 ms"):
        model.swap(files[0], tmp_path / "short.wav")


def test_an_encoding_and_a_model_are_read_only(model):
    with pytest.raises(dataclasses.FrozenInstanceError):
        model.trained = None
