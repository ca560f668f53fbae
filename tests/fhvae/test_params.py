"""params.yaml: what stands is read as it stands, what is wrong is named by its dotted key."""

import copy
import dataclasses
from pathlib import Path

import pytest
import yaml

from fhvae.errors import ParamsError
from fhvae.params.fbank import FbankParams
from fhvae.params.reading import from_mapping
from fhvae.params.whole import Params, load_params

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def values():
    """The params of the repository, as plain values to spoil."""
    return yaml.safe_load((ROOT / "params.yaml").read_text())


def put(values, key, value):
    """Set a dotted key."""
    *sections, name = key.split(".")
    for section in sections:
        values = values[section]
    values[name] = value


def read(values):
    return from_mapping(Params, values, source="params.yaml")


def test_params_cannot_be_changed_later(values):
    with pytest.raises(dataclasses.FrozenInstanceError):
        read(values).seed = 1


@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [
        ("alpha", 10, 10.0),
        ("alpha", 0, 0.0),
        ("seed", 2**64, 2**64),
        ("corpus.seed", 10**400, 10**400),
        ("corpus.path", None, None),
        ("probes.penalties", [1, 0.01], (1.0, 0.01)),
        ("domains.train", [], ()),
        ("training.noise_floor_db", [-30, -10], (-30.0, -10.0)),
        ("model.least_log_variance", None, None),
        ("corpus.speechocean762.adults_only", False, False),
    ],
)
def test_values_that_mean_the_same_are_taken(values, key, value, expected):
    put(values, key, value)
    found = read(values)
    for name in key.split("."):
        found = getattr(found, name)
    assert found == expected
    assert type(found) is type(expected)


@pytest.mark.parametrize("name", ["manifest", "timit", "librispeech", "speechocean762", "vctk"])
def test_a_corpus_that_is_read_has_a_path(values, name):
    put(values, "corpus.name", name)
    put(values, "corpus.path", "some/folder")
    assert read(values).corpus.path == "some/folder"


def test_every_key_is_needed(values):
    def keys(tree, prefix=""):
        for name, value in tree.items():
            yield prefix + name
            if isinstance(value, dict):
                yield from keys(value, f"{prefix}{name}.")

    for key in keys(values):
        spoiled = copy.deepcopy(values)
        *sections, name = key.split(".")
        section = spoiled
        for part in sections:
            section = section[part]
        del section[name]
        with pytest.raises(ParamsError, match=rf"^params\.yaml: key {key} is missing$"):
            read(spoiled)


@pytest.mark.parametrize(
    ("key", "message"),
    [
        ("alfa", r"unknown key alfa; did you mean alpha\?"),
        ("fbank.mel", r"unknown key fbank\.mel; did you mean fbank\.mels\?"),
        ("training.zzz", r"unknown key training\.zzz$"),
        ("corpus.espeak.speaker_scal", r"did you mean corpus\.espeak\.speaker_scale\?"),
    ],
)
def test_an_unknown_key_is_named_with_a_guess(values, key, message):
    put(values, key, 1)
    with pytest.raises(ParamsError, match=message):
        read(values)


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("alpha", True, "alpha must be a number, got True"),
        ("alpha", "ten", "alpha must be a number, got 'ten'"),
        ("alpha", None, "alpha must be a number, got None"),
        ("alpha", float("nan"), "alpha must be finite, got nan"),
        ("alpha", float("inf"), "alpha must be finite, got inf"),
        ("alpha", -1, "alpha must be a number at least 0, got -1"),
        ("alpha", 10**400, r"alpha must be finite, got 1000000.*0000000"),
        ("alpha", "1e-3", "alpha must be a number, got '1e-3'"),
        (
            "training.batch",
            2**63,
            r"training\.batch must be a whole number at most 9\.22337e\+18, got 92233720368547758",
        ),
        ("model.z2_std", 1e-200, r"model\.z2_std must be a number at least 1e-06, got 1e-200"),
        ("training.learning_rate", 1e30, r"training\.learning_rate must be a number at most 100"),
        ("seed", 1.0, r"seed must be a whole number, got 1\.0"),
        ("seed", "1e3", "seed must be a whole number, got '1e3'"),
        ("seed", False, "seed must be a whole number, got False"),
        ("seed", -1, "seed must be a whole number at least 0, got -1"),
        ("fbank.hop_ms", 0, r"fbank\.hop_ms must be a number above 0, got 0"),
        ("fbank.window_ms", 201, r"fbank\.window_ms must be a number at most 200, got 201"),
        ("fbank.mels", 80.0, r"fbank\.mels must be a whole number, got 80\.0"),
        ("fbank.store", "float64", r"fbank\.store must be one of float32, float16, got 'float64'"),
        ("model.cell", "LSTM", r"model\.cell must be one of lstm, gru, rnn, dense, got 'LSTM'"),
        ("fbank", None, "fbank must hold keys and values, got None"),
        ("fbank", [1], r"fbank must hold keys and values, got \[1\]"),
        ("corpus.name", "timmit", r"corpus\.name must be one of .*manifest.*, got 'timmit'"),
        (
            "corpus.speechocean762.adults_only",
            1,
            r"corpus\.speechocean762\.adults_only must be true or false, got 1",
        ),
        ("corpus.path", 3, r"corpus\.path must be text, got 3"),
        ("corpus.espeak.accents", "en", r"corpus\.espeak\.accents must be a list, got 'en'"),
        ("corpus.espeak.accents", [1], r"corpus\.espeak\.accents\[0\] must be text, got 1"),
        ("probes.penalties", [0.1, "x"], r"probes\.penalties\[1\] must be a number, got 'x'"),
        ("domains.test", ["noise7"], r"domains\.test\[0\] must be one of noise20, .*got 'noise7'"),
        ("domains.test", ["room", "room"], r"domains\.test must name each once, got room, room"),
        (
            "domains.train_noises",
            ["pink"],
            r"domains\.train_noises and .* share no kind, .* have pink",
        ),
        (
            "domains.train_noises",
            [],
            r"domains\.train_noises must name a kind of noise for noise10",
        ),
        (
            "domains.test_noises",
            [],
            r"domains\.test_noises must name .* noise10 in domains.topline",
        ),
        ("domains.test_noises", ["folder"], r"domains\.noise_path must name a folder .*None"),
        ("domains.noise_path", "noises", r"domains\.noise_path must name a folder if .*noises"),
        ("domains.room_rt60_s", [0.7, 0.3], r"domains\.room_rt60_s must list a smallest"),
        ("domains.aurora_test_db", [15, 5], r"domains\.aurora_test_db must list a smallest"),
        ("domains.aurora_noisy", 1.5, r".*aurora_noisy must be a number at most 1, got 1\.5"),
        (
            "corpus.espeak.male_formants",
            2,
            r".*espeak\.male_formants must be a number at most 1\.3, got 2",
        ),
        (
            "verification.priors",
            [0.01, 0.01000000001],
            r"verification\.priors must list different numbers, in six digits",
        ),
        ("ivector.vad_db", [30, 30.0000001], r"ivector\.vad_db must list different values"),
        (
            "recognition.full.speaker_shares",
            [0.1, 0.1000000001],
            r"recognition\.full\.speaker_shares must name each once",
        ),
        (
            "verification.priors",
            [0],
            r".*verification\.priors\[0\] must be a number at least 0\.0001",
        ),
        ("recognition.full.warm_up", -1, r".*full\.warm_up must be a number at least 0, got -1"),
        ("probes.smoothing", 0, r"probes\.smoothing must be a number above 0, got 0"),
        (
            "domains.room_rt60_s",
            [0.3],
            r"domains\.room_rt60_s must list .*got \[0\.3\]",
        ),
        ("training.noise_floor_db", [-10], r"training\.noise_floor_db must be empty or list a"),
        ("training.noise_floor_db", [-10, -30], r"training\.noise_floor_db must .*got \[-10\.0"),
        ("training.mask_mels", 80, r"training\.mask_mels must leave one of fbank\.mels=80 .*80"),
        (
            "model.least_log_variance",
            -5,
            r"training\.collapse_log_variance_x must be above model\.least_log_variance=-5, .*-5",
        ),
        ("model.least_log_variance", 1, r"model\.least_log_variance must be a number at most 0"),
        (
            "training.mu2_table",
            "fixed",
            r"training\.mu2_table must be one of closed_form, random, got 'fix",
        ),
    ],
)
def test_a_bad_value_is_named_with_what_must_hold(values, key, value, message):
    put(values, key, value)
    with pytest.raises(ParamsError, match=rf"^params\.yaml: {message}"):
        read(values)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"corpus.name": "manifest", "corpus.path": None},
            r"corpus\.path must name a folder for corpus\.name manifest, got null",
        ),
        (
            {"corpus.name": "timit", "corpus.path": None},
            r"corpus\.path must name a folder for corpus\.name timit, got null",
        ),
        (
            {"corpus.path": "some/folder"},
            r"corpus\.path must be empty for corpus\.name espeak, which is made and not read, "
            r"got 'some/folder'; name the kind of corpus that is there",
        ),
        (
            {"fbank.window_ms": 20, "fbank.hop_ms": 25},
            r"fbank\.hop_ms must be at most fbank\.window_ms=20, got 25",
        ),
        (
            {"corpus.espeak.parallel_speakers": 3, "corpus.espeak.test_speakers": 2},
            r"corpus\.espeak\.parallel_speakers must be at most "
            r"corpus\.espeak\.test_speakers=2, got 3",
        ),
        (
            {"corpus.espeak.parallel_utterances": 9, "corpus.espeak.test_utterances": 5},
            r"corpus\.espeak\.parallel_utterances must be at most "
            r"corpus\.espeak\.test_utterances=5, got 9",
        ),
        ({"probes.penalties": []}, r"probes\.penalties must list numbers above 0, got \[\]"),
        ({"probes.penalties": [0.1, 0]}, r"probes\.penalties must list numbers above 0"),
    ],
)
def test_keys_that_contradict_each_other_are_both_named(values, changes, message):
    for key, value in changes.items():
        put(values, key, value)
    with pytest.raises(ParamsError, match=rf"^params\.yaml: {message}"):
        read(values)


def test_a_check_leads_to_the_file_not_to_a_traceback_chain(values):
    put(values, "fbank.hop_ms", 100)
    with pytest.raises(ParamsError) as caught:
        read(values)
    assert caught.value.__suppress_context__


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "the file must hold keys and values, got None"),
        ("- 1\n", r"the file must hold keys and values, got \[1\]"),
        ("alpha: [1\n", "must be YAML"),
        ("\tseed: 1\n", "must be YAML in line 1: found character '.t' that cannot start"),
        ("alpha: " + "[" * 9999, "must be YAML, it is nested too deep to be read"),
        ("alpha: " + "9" * 9999, "must be YAML.*digits"),
        ("alpha: 2001-99-99", "must be YAML.*month"),
        ("alpha: &a [*a]", "key protocol is missing"),
    ],
)
def test_a_file_that_is_no_mapping_is_refused(tmp_path, content, message):
    path = tmp_path / "params.yaml"
    path.write_text(content)
    with pytest.raises(ParamsError, match=message) as caught:
        load_params(path)
    assert "\n" not in str(caught.value)


def test_a_missing_file_says_where_to_stand(tmp_path):
    with pytest.raises(ParamsError, match="must exist; run from the top of the repository"):
        load_params(tmp_path / "params.yaml")


def test_a_section_can_be_read_alone(values):
    fbank = from_mapping(FbankParams, values["fbank"], source="fbank.json", key="fbank")
    assert fbank == read(values).fbank
    with pytest.raises(ParamsError, match=r"^fbank\.json: key fbank\.window_ms is missing"):
        from_mapping(FbankParams, {}, source="fbank.json", key="fbank")


def test_a_key_given_twice_is_refused(tmp_path):
    path = tmp_path / "params.yaml"
    path.write_text(Path("params.yaml").read_text() + "\nseed: 3\n")
    with pytest.raises(ParamsError, match=r"must be YAML in line \d+: found duplicate key .seed."):
        load_params(path)


def test_a_file_that_is_no_text_is_refused(tmp_path):
    path = tmp_path / "params.yaml"
    path.write_bytes(b"alpha: \xff\xfe")
    with pytest.raises(ParamsError, match=r"params.yaml must be YAML"):
        load_params(path)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"corpus.conditions": []}, "corpus.conditions must list one at least"),
        ({"corpus.conditions": ["noise5", "noise5"]}, "conditions must name each once, got noise5"),
        (
            {"corpus.conditions": ["room", "noise5"], "domains.test_noises": []},
            "domains.test_noises must list a kind of noise where corpus.conditions names noise5",
        ),
    ],
)
def test_conditions_that_cannot_be_made_are_refused(values, changes, message):
    for key, value in {"domains.test": [], "domains.topline": [], **changes}.items():
        put(values, key, value)
    with pytest.raises(ParamsError, match=message):
        read(values)


def test_all_params_are_one_import_away():
    import fhvae.params

    assert fhvae.params.load_params(ROOT / "params.yaml").seed == 0
    with pytest.raises(AttributeError, match="no attribute 'load'"):
        fhvae.params.load  # noqa: B018
