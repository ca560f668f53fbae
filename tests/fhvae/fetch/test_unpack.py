"""Archives unpack to the files that were packed, or to one sentence and nothing else."""

import bz2
import contextlib
import gzip
import io
import lzma
import os
import resource
import stat
import struct
import tarfile
import unicodedata
import zipfile

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from fhvae.errors import CorpusError
from fhvae.fetch import unpack as unpacking
from fhvae.fetch.unpack import Tree, folded, name_problem, plain_name, unpack

FILES = {
    "Corpus/README": b"Read me first.\n",
    "Corpus/wav/é 1.flac": bytes(range(256)) * 5,
    "Corpus/wav/deep/er/2.flac": b"x" * 70_001,
    "Corpus/empty": b"",
}
KINDS = ("tar", "tar.gz", "tar.bz2", "tar.xz", "zip")


def entry(name, kind=tarfile.REGTYPE, **fields):
    """A header of a tar member of any type."""
    header = tarfile.TarInfo(name)
    header.type = kind
    for field, value in fields.items():
        setattr(header, field, value)
    return header


def tar_of(*members, tar_format=tarfile.PAX_FORMAT):
    """Bytes of a tar; a member is (name or header, content)."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tar_format) as tar:
        for head, content in members:
            header = head if isinstance(head, tarfile.TarInfo) else entry(head)
            header.size = len(content)
            tar.addfile(header, io.BytesIO(content))
    return buffer.getvalue()


def zip_of(*members, method=zipfile.ZIP_DEFLATED):
    """Bytes of a zip; a member is (name or entry, content)."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        for head, content in members:
            archive.writestr(head, content)
    return buffer.getvalue()


def packed(kind, files=FILES):
    members = tuple(files.items())
    pack = {"tar.gz": gzip.compress, "tar.bz2": bz2.compress, "tar.xz": lzma.compress}
    return zip_of(*members) if kind == "zip" else pack.get(kind, bytes)(tar_of(*members))


def put(folder, content, name="corpus.archive"):
    path = folder / name
    path.write_bytes(content)
    return path


def files_of(folder):
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def refusal(folder, content):
    """Say why an archive is refused; nothing may appear beside it."""
    inner = folder / "inner"
    inner.mkdir()
    archive = put(inner, content)
    with pytest.raises(CorpusError) as caught:
        unpack(archive, inner / "corpus")
    assert [path.name for path in inner.iterdir()] == ["corpus.archive"]
    assert [path.name for path in folder.iterdir()] == ["inner"]
    said = str(caught.value)
    assert said.startswith(f"{archive}: ")
    assert said.endswith("; nothing was unpacked")
    assert "\n" not in said
    return said


@pytest.mark.parametrize("kind", KINDS)
def test_what_was_packed_comes_out(tmp_path, kind):
    archive = put(tmp_path, packed(kind))
    unpack(archive, tmp_path / "deep" / "out")
    assert files_of(tmp_path / "deep" / "out") == FILES
    assert [path.name for path in (tmp_path / "deep").iterdir()] == ["out"]


@pytest.mark.parametrize("tar_format", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT])
def test_old_formats_and_long_names_come_out(tmp_path, tar_format):
    files = {"Corpus/" + "a" * 60 + "/" + "b" * 60 + "/c.wav": b"12", "d": b"3"}
    unpack(put(tmp_path, tar_of(*files.items(), tar_format=tar_format)), tmp_path / "out")
    assert files_of(tmp_path / "out") == files


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_zips_of_every_method_come_out(tmp_path, method):
    unpack(put(tmp_path, zip_of(*FILES.items(), method=method)), tmp_path / "out")
    assert files_of(tmp_path / "out") == FILES


def test_a_zip_may_follow_other_bytes_and_end_with_a_comment(tmp_path):
    buffer = io.BytesIO(zip_of(("a", b"1")))
    with zipfile.ZipFile(buffer, "a") as archive:
        archive.comment = b"made by hand"
    unpack(put(tmp_path, buffer.getvalue()), tmp_path / "out")
    assert files_of(tmp_path / "out") == {"a": b"1"}


def test_folders_before_after_and_without_files_come_out(tmp_path):
    folder = tarfile.DIRTYPE
    members = [
        (entry("./", folder), b""),
        ("./a/1", b"1"),
        (entry("./a/", folder), b""),
        (entry("./b/c/", folder), b""),
    ]
    unpack(put(tmp_path, tar_of(*members)), tmp_path / "out")
    assert files_of(tmp_path / "out") == {"a/1": b"1"}
    assert (tmp_path / "out" / "b" / "c").is_dir()


@pytest.mark.parametrize("umask", [0o002, 0o022, 0o077])
@pytest.mark.parametrize("kind", ["tar", "zip"])
def test_modes_are_ours(tmp_path, umask, kind):
    mode = 0o6777
    header = entry("a/b/c", mode=mode, uid=12345, uname="nobody")
    member = zipfile.ZipInfo("a/b/c")
    member.external_attr = (stat.S_IFREG | mode) << 16
    content = tar_of((header, b"1")) if kind == "tar" else zip_of((member, b"1"))
    before = os.umask(umask)
    try:
        unpack(put(tmp_path, content), tmp_path / "out")
    finally:
        os.umask(before)
    modes = {
        str(path.relative_to(tmp_path)): stat.S_IMODE(path.stat().st_mode)
        for path in [tmp_path / "out", *(tmp_path / "out").rglob("*")]
    }
    folder, file = 0o777 & ~umask, 0o666 & ~umask
    assert modes == {"out": folder, "out/a": folder, "out/a/b": folder, "out/a/b/c": file}
    assert (tmp_path / "out" / "a" / "b" / "c").stat().st_uid == os.getuid()


@pytest.mark.parametrize("kind", KINDS)
def test_an_empty_archive_is_refused(tmp_path, kind):
    assert "it must hold a file or a folder, it holds none" in refusal(tmp_path, packed(kind, {}))


@pytest.mark.parametrize(  # every kind of name: below
    ("name", "problem"),
    [
        ("a/../../outside", "must not lead out of its folder"),
        ("/tmp/outside", "must be relative"),
        ("a\nb", "must have no backslash and no control character"),
        ("n" * 256, "must have at most 255 bytes in a part, 1024 in all"),
    ],
)
@pytest.mark.parametrize("pack", [tar_of, zip_of])
def test_hostile_names_are_refused(tmp_path, pack, name, problem):
    said = refusal(tmp_path, pack(("good", b"1"), (name, b"2")))
    assert f"member {name[:100]!r}"[:60] in said
    assert problem in said


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (zip_of(("aXb", b"1")).replace(b"aXb", b"a\0b"), r"member 'a\x00b' must have no backslash"),
        (tar_of((entry("a", pax_headers={"path": "b\0c"}), b"1")), "must have no backslash"),
        (tar_of(("a\udcff", b"1"), tar_format=tarfile.GNU_FORMAT), "must be UTF-8"),
        *((tar_of((name, b"1")), "must have no empty part") for name in ("", ".", "./")),
    ],
)
def test_names_that_only_one_kind_of_archive_can_hold_are_refused(tmp_path, content, problem):
    assert problem in refusal(tmp_path, content)


@pytest.mark.parametrize(  # every kind of collision: below
    ("first", "second", "problem"),
    [
        ("Corpus/a", "Corpus/a", "must be there once only"),
        ("Corpus/a", "corpus/b", "must differ from 'Corpus' in more than case"),
        ("Corpus/a", "Corpus/a/b", "needs a folder where 'Corpus/a' is a file"),
        ("e\u0301.wav", "é.wav", "must differ from 'e\u0301.wav' in more than case"),
    ],
)
@pytest.mark.parametrize("pack", [tar_of, zip_of])
@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_collisions_are_refused(tmp_path, pack, first, second, problem):
    said = refusal(tmp_path, pack((first, b"1"), (second, b"2")))
    assert f"member {second!r} {problem}" in said


@pytest.mark.parametrize(
    ("kind", "called"),
    [
        (tarfile.SYMTYPE, "a symbolic link"),
        (tarfile.LNKTYPE, "a hard link"),
        (tarfile.CHRTYPE, "a device"),
        (tarfile.BLKTYPE, "a device"),
        (tarfile.FIFOTYPE, "a pipe"),
        (tarfile.GNUTYPE_SPARSE, "a file with holes"),
        (b"Q", "of type b'Q'"),
    ],
)
def test_what_is_no_file_or_folder_is_refused(tmp_path, kind, called):
    header = entry("odd", kind, linkname="../../etc/passwd" if kind in (b"1", b"2") else "")
    below = [("odd/file", b"2")] * (kind == tarfile.SYMTYPE)  # the classic: written through a link
    said = refusal(tmp_path, tar_of(("good", b"1"), (header, b""), *below))
    assert f"member 'odd' must be a regular file or a folder, it is {called}" in said


@pytest.mark.parametrize(
    ("kind", "called"),
    [(stat.S_IFLNK, "a symbolic link"), (stat.S_IFIFO, "a pipe"), (stat.S_IFCHR, "a device")],
)
def test_links_and_devices_in_a_zip_are_refused(tmp_path, kind, called):
    member = zipfile.ZipInfo("odd")
    member.external_attr = (kind | 0o777) << 16
    said = refusal(tmp_path, zip_of((member, b"../../etc/passwd")))
    assert "member 'odd' must be a regular file or a folder" in said
    assert called in said


@pytest.mark.parametrize("flag", [0x1, 0x40 | 0x1, 0x2000])
def test_an_encrypted_zip_is_refused(tmp_path, flag):
    content = bytearray(zip_of(("secret", b"1")))
    for magic, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        content[content.index(magic) + offset] |= flag & 0xFF
        content[content.index(magic) + offset + 1] |= flag >> 8
    assert "member 'secret' must not be encrypted" in refusal(tmp_path, bytes(content))


BOMB = bytes(8 << 20)


@pytest.mark.parametrize("kind", ["tar.gz", "tar.bz2", "tar.xz", "zip"])
def test_a_bomb_is_refused(tmp_path, monkeypatch, kind):
    monkeypatch.setattr(unpacking, "MAX_RATIO", 50)
    said = refusal(tmp_path, packed(kind, {"bomb": BOMB}))
    assert "it must unpack to at most 50 times its" in said


def test_a_bomb_after_the_end_of_the_tar_is_refused(tmp_path):
    content = gzip.compress(tar_of(("a", b"1")) + BOMB)
    assert "it must unpack to at most 200 times its" in refusal(tmp_path, content)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("limit", "most", "said"),
    [
        ("MAX_BYTES", 70_000, "it must unpack to at most 70000 bytes, more follow"),
        ("MAX_MEMBERS", 3, "it must hold at most 3 members, more follow"),
    ],
)
def test_more_than_allowed_is_refused(tmp_path, monkeypatch, kind, limit, most, said):
    monkeypatch.setattr(unpacking, limit, most)
    assert said in refusal(tmp_path, packed(kind))


def test_as_many_as_allowed_come_out(tmp_path, monkeypatch):
    monkeypatch.setattr(unpacking, "MAX_MEMBERS", len(FILES))
    monkeypatch.setattr(unpacking, "MAX_BYTES", sum(map(len, FILES.values())))
    unpack(put(tmp_path, packed("zip")), tmp_path / "out")
    assert files_of(tmp_path / "out") == FILES


def test_an_extended_header_of_gigabytes_is_not_read(tmp_path):
    header = entry("././@LongLink", tarfile.GNUTYPE_LONGNAME, size=5 << 30)
    content = header.tobuf(tarfile.GNU_FORMAT) + bytes(2048)
    said = refusal(tmp_path, content)
    assert f"an extended header must have at most 1048576 bytes, got {5 << 30}" in said


@pytest.mark.parametrize(
    ("size", "problem"),
    [
        (0, "Bad CRC-32 for file 'a'"),
        (3, "Bad CRC-32 for file 'a'"),
        (9, "member 'a' must have the 9 bytes that are promised, it has 8"),
        (1 << 30, "member 'a' must have the 1073741824 bytes that are promised, it has 8"),
    ],
)
def test_a_zip_that_lies_about_a_size_is_refused(tmp_path, size, problem):
    content = bytearray(zip_of(("a", b"12345678"), method=zipfile.ZIP_STORED))
    for magic, offset in ((b"PK\x03\x04", 22), (b"PK\x01\x02", 24)):
        start = content.index(magic) + offset
        content[start : start + 4] = struct.pack("<I", size)
    assert problem in refusal(tmp_path, bytes(content))


@pytest.mark.parametrize("size", [3, 1 << 40])
def test_a_tar_that_lies_about_a_size_is_refused(tmp_path, size):
    content = tar_of(("a", b"x" * 2000), ("b", b"y" * 2000), tar_format=tarfile.GNU_FORMAT)
    content = entry("a", size=size).tobuf(tarfile.GNU_FORMAT) + content[512:]
    assert "it is broken or cut short" in refusal(tmp_path, content)


@pytest.mark.parametrize("kind", KINDS)
def test_an_archive_cut_anywhere_is_refused(tmp_path, kind):
    content = packed(kind)
    for number, length in enumerate(range(1, len(content) - 10_240, len(content) // 17 + 1)):
        folder = tmp_path / str(number)
        folder.mkdir()
        assert "it is broken or cut short" in refusal(folder, content[:length])


def test_a_tar_that_pythons_tarfile_takes_for_whole_is_refused(tmp_path):
    content = tar_of(("a", b"1"), ("b", b"2"), tar_format=tarfile.GNU_FORMAT)
    (tmp_path / "cut").mkdir()
    assert "it is broken or cut short" in refusal(tmp_path / "cut", content[:1024])
    broken = content[:1024] + bytes([content[1024] ^ 1]) + content[1025:]
    (tmp_path / "broken").mkdir()
    assert "bad checksum in place of a member or the end" in refusal(tmp_path / "broken", broken)


@pytest.mark.parametrize("kind", ["tar.gz", "tar.bz2", "tar.xz"])
def test_a_wrong_checksum_at_the_end_is_refused(tmp_path, kind):
    content = bytearray(packed(kind))
    content[-6] ^= 1
    assert "it is broken or cut short" in refusal(tmp_path, bytes(content))


@pytest.mark.parametrize("content", [b"", b"<html>no archive</html>", b"PK", b"\x1f\x8b", b"BZh9"])
def test_what_is_no_archive_is_refused(tmp_path, content):
    assert "it must be a whole tar or zip, it is broken or cut short" in refusal(tmp_path, content)


def test_a_missing_archive_is_told(tmp_path):
    with pytest.raises(CorpusError, match=r"a\.tar must be an archive, there is no file"):
        unpack(tmp_path / "a.tar", tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("kind", ["folder", "file", "broken link"])
def test_what_is_there_already_is_left_alone(tmp_path, kind):
    out = tmp_path / "out"
    make = {
        "folder": out.mkdir,
        "file": lambda: out.write_bytes(b"mine"),
        "broken link": lambda: out.symlink_to("nowhere"),
    }
    make[kind]()
    with pytest.raises(CorpusError, match=r"out must not exist before .* move it away"):
        unpack(put(tmp_path, packed("tar")), out)
    assert os.path.lexists(out)


def test_a_file_that_cannot_be_written_is_told(tmp_path):
    archive = put(tmp_path, packed("tar"))
    usual = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, usual[1]))  # bytes, as on a full disk
    try:
        with pytest.raises(CorpusError, match=r"2\.flac must be writable, File too large"):
            unpack(archive, tmp_path / "out")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, usual)
    assert list(tmp_path.iterdir()) == [archive]


def test_an_interruption_leaves_nothing(tmp_path, monkeypatch):
    def interrupted(items):
        raise KeyboardInterrupt

    monkeypatch.setattr(unpacking, "_unless_broken", interrupted)
    archive = put(tmp_path, packed("tar"))
    with pytest.raises(KeyboardInterrupt):
        unpack(archive, tmp_path / "out")
    assert [path.name for path in tmp_path.iterdir()] == ["corpus.archive"]


NAMES = st.text(st.sampled_from("aAé./\\\0 :b"), max_size=6)


@given(names=st.lists(NAMES, min_size=1, max_size=4), kind=st.sampled_from(KINDS))
@settings(max_examples=80)
@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_any_names_end_inside_or_in_a_sentence(tmp_path_factory, names, kind):
    assume(kind != "zip" or all(name.split("\0")[0] for name in names))  # it writes no empty one
    folder = tmp_path_factory.mktemp("names")
    files = {name: str(number).encode() for number, name in enumerate(names)}
    archive = put(folder, packed(kind, files))
    try:
        unpack(archive, folder / "out")
    except CorpusError:
        assert list(folder.iterdir()) == [archive]
    else:
        assert sorted(folder.iterdir()) == [archive, folder / "out"]
        assert set(files_of(folder / "out").values()) <= set(files.values())


@given(data=st.data(), kind=st.sampled_from(KINDS))
@settings(max_examples=150)
def test_a_broken_byte_ends_in_files_or_in_a_sentence(tmp_path_factory, data, kind):
    content = bytearray(packed(kind, {"a/b": b"hello" * 9, "c": b"1"}))
    for _ in range(data.draw(st.integers(1, 3))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    folder = tmp_path_factory.mktemp("broken")
    archive = put(folder, bytes(content))
    with contextlib.suppress(CorpusError):
        unpack(archive, folder / "out")
    assert set(folder.iterdir()) <= {archive, folder / "out"}


@pytest.mark.parametrize(
    "name",
    [
        "a",
        "a/b.flac",
        "LibriSpeech/dev-clean/84/1-2.flac",
        "é",
        "a b",
        ".a",
        "console",
        "nul-1.txt",
        "com10",
    ],
)
def test_usual_names_pass(name):
    assert name_problem(name) is None
    assert plain_name(name) == name


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("/etc/passwd", "must be relative"),
        ("//a", "must be relative"),
        ("/", "must be relative"),
        ("C:/a", "must be relative"),
        ("c:a", "must be relative"),
        ("..", "must not lead out"),
        ("../a", "must not lead out"),
        ("a/../../b", "must not lead out"),
        ("a/..", "must not lead out"),
        ("a\\b", "must have no backslash"),
        ("a\\..\\outside", "must have no backslash"),
        ("..\\a", "must have no backslash"),
        ("a\0b", "must have no backslash and no control"),
        ("a\nb", "must have no backslash and no control"),
        ("a\x7f", "must have no backslash and no control"),
        ("a\x85", "must have no backslash and no control"),
        ("", "must have no empty part"),
        ("a//b", "must have no empty part"),
        ("a/./b", "must have no empty part"),
        ("a" * 256, "must have at most 255 bytes"),
        ("é" * 128, "must have at most 255 bytes"),
        ("abc/" * 256 + "a", "must have at most 255 bytes in a part, 1024 in all"),
        ("a\udcff", "must be UTF-8"),
        *(
            (name, "must be a name on Windows")
            for name in (
                "con",
                "Nul.txt",
                "a/AUX",
                "com1.wav",
                "lpt³",
                "nul .txt",
                "conin$",
                "ab:c",
            )
        ),
        *(
            (name, "must be a name on Windows")
            for name in ("a.", "a/...", "b ", "d. /x", "a?", "*")
        ),
    ],
)
def test_unsafe_names_are_refused(name, problem):
    assert name_problem(plain_name(name) or name).startswith(problem)


@pytest.mark.parametrize(
    ("packed", "plain"),
    [("./a", "a"), ("././a/", "a"), (".", ""), ("./", ""), (".//a", "a"), (".a", ".a")],
)
def test_what_packers_add_is_taken_off(packed, plain):
    assert plain_name(packed) == plain


@given(st.text(max_size=20))
def test_a_name_without_a_problem_stays_inside(name):
    if name_problem(name) is None:
        parts = name.split("/")
        assert parts
        assert {"", ".", ".."}.isdisjoint(parts)


@given(st.text(max_size=10))
def test_names_equal_up_to_case_and_normalization_fold_alike(name):
    assert folded(unicodedata.normalize("NFC", name)) == folded(name)
    assert folded(unicodedata.normalize("NFD", name)) == folded(name)
    assert folded(name.casefold()) == folded(name)


@pytest.mark.parametrize(
    ("first", "second", "problem"),
    [
        (("a", False), ("a", False), "must be there once only"),
        (("c/a", False), ("c/A", False), "must differ from 'c/a'"),
        (("A", False), ("a", False), "must differ from 'A'"),
        (("A/x", False), ("a/y", False), "must differ from 'A'"),
        (("e\u0301", False), ("é", False), "must differ from"),
        (("straße", False), ("STRASSE", False), "must differ from"),
        (("a", False), ("a/b", False), "needs a folder where 'a' is a file"),
        (("a", False), ("a", True), "needs a folder where 'a' is a file"),
        (("a", True), ("a", False), "must not also be a folder"),
        (("a/b", False), ("a", False), "must not also be a folder"),
    ],
)
def test_collisions_are_told(first, second, problem):
    tree = Tree()
    assert tree.problem_of(*first) is None
    assert tree.problem_of(*second).startswith(problem)


def test_a_folder_may_be_named_again():
    tree = Tree()
    assert [tree.problem_of(*item) for item in (("a/b", False), ("a", True), ("a", True))] == [
        None
    ] * 3
