"""What a machine and an environment are described by: files of which the answer is known."""

import json
import os
import platform
import subprocess
import sys

import pytest

from fhvae.environment import (
    Commit,
    accelerator,
    anonymous,
    commit_of,
    describe_machine,
    installed_versions,
    pins,
    processor_flags,
    processor_name,
    settings_here,
    without_secrets,
)


def test_a_machine_is_described_by_its_make(tmp_path):
    cpuinfo = tmp_path / "cpuinfo"
    cpuinfo.write_text(
        "processor\t: 0\nmodel name\t: Some CPU 9 @ 3 GHz\nflags\t\t: fpu avx avx2 fma avx512fp16\n"
        "model name\t: other\nflags\t: avx512f\n"
    )
    assert processor_name(cpuinfo) == "Some CPU 9 @ 3 GHz"
    assert processor_flags(cpuinfo) == ["avx2", "fma"]
    cpuinfo.write_text("processor\t: 0\nBogoMIPS\t: 50.00\nFeatures\t: fp asimd\n")
    assert processor_name(cpuinfo) == processor_name(tmp_path / "none") == platform.machine()
    assert processor_flags(cpuinfo) == ["asimd"]
    assert processor_flags(tmp_path / "none") == []


def test_a_description_names_no_host(monkeypatch):
    monkeypatch.setattr(platform, "node", lambda: pytest.fail("asked for the host's name"))
    found = describe_machine(threads=3)
    assert set(found) == {"processor", "cores", "torch", "threads"}
    assert found["threads"] == 3
    json.dumps(found)


def test_versions_are_read_from_the_first_folder_on_the_path(tmp_path, monkeypatch):
    for place, name in [
        ("first", "Some_Package-1.2.3rc1+cpu.dist-info"),
        ("second", "some_package-9.dist-info"),
        ("second", "old.style-2.0-py3.11.egg-info"),
        ("second", "some_package_extra-4.0.dist-info"),
    ]:
        (tmp_path / place / name).mkdir(parents=True)
    monkeypatch.setattr(sys, "path", [str(tmp_path / "first"), str(tmp_path / "second"), "nowhere"])
    wanted = ["some-package", "old-style", "absent"]
    assert installed_versions(wanted) == {"some-package": "1.2.3rc1+cpu", "old-style": "2.0"}


def test_only_exact_versions_are_pins(tmp_path):
    file = tmp_path / "requirements.txt"
    file.write_text("# a==1\nb==2.0  # why\nc[more]==3.1.post1; python_version > '3'\nd>=4\n-r e\n")
    assert pins(file) == {"b": "2.0", "c": "3.1.post1"}
    assert pins(tmp_path / "none") == {}


def test_a_clone_is_changed_by_code_and_params_alone(tmp_path):
    def git(*arguments):
        who = ("-c", "user.name=n", "-c", "user.email=e@example.org")
        subprocess.run(["git", "-C", tmp_path, *who, *arguments], check=True, capture_output=True)

    assert commit_of(tmp_path) is None
    (tmp_path / "metrics").mkdir()
    (tmp_path / "params.yaml").write_text("alpha: 10\n")
    (tmp_path / "metrics" / "train.json").write_text("{}")
    git("init", "-q")
    git("add", "-A")
    git("commit", "-qm", "start")
    (tmp_path / "metrics" / "train.json").unlink()  # as while a stage runs
    found = commit_of(tmp_path)
    assert found is not None
    head = (tmp_path / ".git" / "HEAD").read_text().split()[1]
    assert found == Commit((tmp_path / ".git" / head).read_text().strip(), [])
    (tmp_path / "params.yaml").write_text("alpha: 0\n")
    assert commit_of(tmp_path) == Commit(found.hash, ["params.yaml"])


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("/home/ada", "~"),
        ("/home/ada/models:/home/ada", "~/models:~"),
        ("/home/adamant/x", "/home/adamant/x"),
        ("/scratch/ada/x", "/scratch/<user>/x"),
        ("/data/canada/x", "/data/canada/x"),
        ("local:4", "local:4"),
        ("/home/ada,/home/bob", "~,/home/bob"),
        ("'/home/ada'", "'~'"),
        ("C=/home/ada;", "C=~;"),
        ("it lies in /home/ada.", "it lies in ~."),
        ("/home/ada.old /home/ada-x", "/home/ada.old /home/ada-x"),
        ("https://ada@host/x", "https://host/x"),
        ("ada@host:x", "<user>@host:x"),
    ],
)
def test_nobody_is_named(monkeypatch, text, wanted):
    monkeypatch.setenv("HOME", "/home/ada")
    monkeypatch.delenv("USER", raising=False)
    monkeypatch.delenv("LOGNAME", raising=False)
    assert anonymous(text) == wanted


def test_a_container_without_a_home_keeps_its_paths(monkeypatch):
    for name, value in {"HOME": "/", "USER": "", "LOGNAME": ""}.items():
        monkeypatch.setenv(name, value)
    assert anonymous("/data/corpus") == "/data/corpus"


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("https://bob:p@ss@mirror.lan:8080/a/b?token=s3cret", "https://mirror.lan:8080/a/b"),
        ("HTTPS://mirror.lan#s3cret", "HTTPS://mirror.lan"),
        ("s3://key:s3cret@bucket, then '/x'", "s3://bucket, then '/x'"),
        ("'https://a.org/x?y=1' and 'b'", "'https://a.org/x' and 'b'"),
        ("what? a@b // c", "what? a@b // c"),
    ],
)
def test_addresses_lose_their_secrets(text, wanted):
    assert without_secrets(text) == wanted


def test_only_harmless_settings_of_this_package_show_their_value(monkeypatch):
    for name in [name for name in os.environ if name.startswith("FHVAE_")]:
        monkeypatch.delenv(name)
    shown = {"FHVAE_WORKERS": "3", "FHVAE_OFFLINE": "1"}
    hidden = {
        "FHVAE_MIRROR": "https://ada:s3cret@mirror.lan/x?token=s3cret",
        "FHVAE_CKPT_DIR": "/home/ada,x",
        "FHVAE_API_TOKEN": "s3cret",
    }
    for name, value in {**shown, **hidden, "SECRET_TOKEN": "x"}.items():
        monkeypatch.setenv(name, value)
    assert settings_here() == shown | dict.fromkeys(hidden, "set")


@pytest.mark.parametrize(
    ("address", "wanted"),
    [
        ("local:4", "local:4"),
        ("tcp://ada-laptop.lan:8786", "tcp://<host>:8786"),
        ("tls://[fe80::1]:8786", "tls://<host>:8786"),
        ("ada-laptop.lan:8786", "<host>:8786"),
        ("tcp://ada-laptop.lan", "tcp://<host>"),
        ("local:ada", "<host>"),
    ],
)
def test_a_scheduler_has_no_host(monkeypatch, address, wanted):
    monkeypatch.setenv("FHVAE_DASK", address)
    assert settings_here()["FHVAE_DASK"] == wanted


def test_torch_is_not_imported_to_ask_for_a_gpu(monkeypatch):
    monkeypatch.delitem(sys.modules, "torch")
    assert accelerator() is None
    assert "torch" not in sys.modules
