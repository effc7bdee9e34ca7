"""Where data come from. ``Letters`` stands for a published data set of two small files."""

from __future__ import annotations

import hashlib
import socket
from pathlib import Path

import pytest

from bench.tasks.errors import DataError
from bench.tasks.policy import DataPolicy
from bench.tasks.source import (
    MANIFEST,
    STANDIN_VERSION,
    DataFiles,
    Source,
    cache_folder,
    data_folder,
    locate,
    read_manifest,
)

REAL = {"train.txt": b"abc", "test.txt": b"def"}


class Letters(DataFiles):
    """Its checksums are known; its download does what the test says."""

    title = "Letters"
    folder = "letters/raw"
    names = ("train.txt", "test.txt")
    checksums = {name: f"sha256:{hashlib.sha256(content).hexdigest()}" for name, content in REAL.items()}
    url = "https://letters.example"

    def __init__(self, published: dict[str, bytes] | None = None, failure: Exception | None = None) -> None:
        self.published = published or {}
        self.failure = failure
        self.generated = 0
        self.timeouts: list[float | None] = []

    def download(self, root: Path) -> None:
        self.timeouts.append(socket.getdefaulttimeout())
        put(root, self.published)
        if self.failure:
            raise self.failure

    def generate(self, root: Path) -> None:
        self.generated += 1
        put(root, {"train.txt": b"xxx", "test.txt": b"yyy"})


def put(root: Path, contents: dict[str, bytes]) -> None:
    """Write files where the publisher of ``Letters`` has them."""
    folder = root / Letters.folder
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in contents.items():
        (folder / name).write_bytes(content)


def standin_folder(source: Source) -> Path:
    return source.root / Letters.folder


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("QUANTBENCH_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "data"


OFFLINE = OSError("the network\n is unreachable")


@pytest.mark.parametrize("policy", ["auto", "real"])
def test_files_in_the_data_root_are_taken(root: Path, policy: DataPolicy) -> None:
    put(root, REAL)
    files = Letters()
    source = locate(files, policy, root)
    assert (source.kind, source.root, source.note) == ("real", root, "")
    assert source.origin == "Letters, found in the data root"
    assert files.timeouts == [], "nothing is downloaded"


def test_the_fingerprint_is_of_names_and_contents(root: Path) -> None:
    put(root, REAL)
    listing = "".join(f"{name} {hashlib.sha256(REAL[name]).hexdigest()}\n" for name in Letters.names)
    assert locate(Letters(), "real", root).fingerprint == hashlib.sha256(listing.encode()).hexdigest()[:16]


@pytest.mark.parametrize("policy", ["auto", "real"])
@pytest.mark.parametrize("content", [b"abX", b"ab", b""], ids=["altered", "truncated", "empty"])
def test_a_damaged_file_is_refused_by_name_with_the_way_out(root: Path, policy: DataPolicy, content: bytes) -> None:
    put(root, REAL | {"train.txt": content})
    with pytest.raises(DataError) as caught:
        locate(Letters(), policy, root)
    assert str(caught.value) == (
        f"{root / Letters.folder / 'train.txt'} is damaged or truncated: its sha256 is "
        f"{hashlib.sha256(content).hexdigest()}, that of the published file is {hashlib.sha256(b'abc').hexdigest()}; "
        "delete it and run again to download it, or use --data synthetic."
    )


def test_a_download_is_moved_into_place_whole(root: Path) -> None:
    source = locate(Letters(published=REAL), "auto", root)
    assert (source.kind, source.origin) == ("real", "Letters, from https://letters.example")
    assert {path.name: path.read_bytes() for path in (root / Letters.folder).iterdir()} == REAL
    assert [path.name for path in root.iterdir()] == ["letters"], "the temporary folder is gone"


def test_a_download_is_there_for_the_next_run(root: Path) -> None:
    first = locate(Letters(published=REAL), "auto", root)
    again = locate(Letters(failure=OFFLINE), "auto", root)
    assert again.kind == "real"
    assert again.fingerprint == first.fingerprint


def test_a_download_that_fails_leaves_nothing_behind(root: Path) -> None:
    locate(Letters(published={"train.txt": b"abc"}, failure=OFFLINE), "auto", root)
    assert list(root.iterdir()) == []


def test_a_download_with_a_wrong_checksum_is_refused(root: Path) -> None:
    with pytest.raises(DataError, match=r"test\.txt is damaged or truncated: its sha256 is"):
        locate(Letters(published=REAL | {"test.txt": b"<html>"}), "auto", root)


def test_a_download_may_not_wait_forever(root: Path) -> None:
    files = Letters(published=REAL)
    before = socket.getdefaulttimeout()
    locate(files, "auto", root)
    assert files.timeouts == [30.0]
    assert socket.getdefaulttimeout() == before


def test_without_data_and_network_auto_takes_the_stand_in_and_says_why(root: Path) -> None:
    source = locate(Letters(failure=OFFLINE), "auto", root)
    assert source.kind == "synthetic"
    assert source.note == (
        f"Letters is not in {root} (no train.txt, test.txt in letters/raw) and the download from "
        "https://letters.example failed (the network is unreachable)"
    )


def test_an_error_without_words_is_named_by_its_type(root: Path) -> None:
    assert locate(Letters(failure=TimeoutError()), "auto", root).note.endswith("failed (TimeoutError)")


def test_without_data_and_network_real_is_refused_with_the_way_out(root: Path) -> None:
    with pytest.raises(DataError) as caught:
        locate(Letters(failure=OFFLINE), "real", root)
    message = str(caught.value)
    assert "failed (the network is unreachable)" in message
    assert message.endswith(
        "; put the files there, name another folder with --data-root, or take the stand-in with --data synthetic."
    )
    assert "\n" not in message
    assert caught.value.__cause__ is OFFLINE


def test_of_a_partial_set_only_the_missing_files_are_named(root: Path) -> None:
    put(root, {"train.txt": b"abc"})
    assert "(no test.txt in letters/raw)" in locate(Letters(failure=OFFLINE), "auto", root).note


def test_a_partial_set_is_completed_by_a_download(root: Path) -> None:
    put(root, {"train.txt": b"abc"})
    assert locate(Letters(published=REAL), "real", root).kind == "real"


def test_a_failed_download_leaves_a_partial_set_as_it_was(root: Path) -> None:
    put(root, {"train.txt": b"mine"})
    locate(Letters(published=REAL, failure=OFFLINE), "auto", root)
    assert [path.name for path in (root / Letters.folder).iterdir()] == ["train.txt"]
    assert (root / Letters.folder / "train.txt").read_bytes() == b"mine"


def test_a_download_that_lacks_a_file_changes_nothing(root: Path) -> None:
    put(root, {"train.txt": b"mine"})
    source = locate(Letters(published={"train.txt": b"new"}), "auto", root)
    assert source.kind == "synthetic"
    assert "it came without test.txt" in source.note
    assert (root / Letters.folder / "train.txt").read_bytes() == b"mine"


def test_what_a_killed_download_left_is_swept_away(root: Path) -> None:
    (root / ".download-Letters-left").mkdir(parents=True)
    locate(Letters(published=REAL), "auto", root)
    assert [path.name for path in root.iterdir()] == ["letters"]


def test_synthetic_looks_neither_at_the_data_root_nor_at_the_network(root: Path, cache: Path) -> None:
    put(root, REAL)
    files = Letters(published=REAL)
    source = locate(files, "synthetic", root)
    assert (source.kind, source.note, files.timeouts) == ("synthetic", "", [])
    assert source.root.parent == cache
    assert source.origin == f"synthetic stand-in for Letters, generated by quantbench (version {STANDIN_VERSION})"


def test_a_stand_in_lies_beside_its_checksums() -> None:
    source = locate(Letters(), "synthetic", None)
    assert sorted(path.name for path in standin_folder(source).iterdir()) == [MANIFEST, "test.txt", "train.txt"]
    assert read_manifest(source.root, Letters.folder) == {
        "train.txt": "md5:f561aaf6ef0bf14d4208bb46a4ccb3ad",  # of "xxx"
        "test.txt": "md5:f0a4058fd33489695d53df156b77c724",  # of "yyy"
    }


def test_a_stand_in_is_generated_once() -> None:
    files = Letters()
    assert locate(files, "synthetic", None) == locate(files, "synthetic", None)
    assert files.generated == 1


@pytest.mark.parametrize("name", ["train.txt", MANIFEST])
@pytest.mark.parametrize("content", [None, b"md5:0  train.txt\nmd5:0  test.txt\n", b"\xff\xfe"])
def test_a_damaged_stand_in_is_made_anew(name: str, content: bytes | None) -> None:
    files = Letters()
    good = locate(files, "synthetic", None)
    path = standin_folder(good) / name
    path.unlink() if content is None else path.write_bytes(content)
    assert locate(files, "synthetic", None) == good
    assert (standin_folder(good) / "train.txt").read_bytes() == b"xxx"


def test_a_stand_in_whose_checksums_are_not_all_there_is_made_anew() -> None:
    files = Letters()
    source = locate(files, "synthetic", None)
    (standin_folder(source) / MANIFEST).write_text("")
    locate(files, "synthetic", None)
    assert files.generated == 2
    assert read_manifest(source.root, files.folder).keys() == set(files.names)


def test_the_data_root_is_the_argument_else_the_environment_else_in_the_cache(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert data_folder(tmp_path) == tmp_path
    monkeypatch.setenv("QUANTBENCH_DATA", str(tmp_path / "named"))
    assert data_folder(None) == tmp_path / "named"
    monkeypatch.delenv("QUANTBENCH_DATA")
    assert data_folder(None) == cache / "data"


def test_without_a_name_in_the_environment_the_cache_is_the_users(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("QUANTBENCH_CACHE")
    assert "quantbench" in cache_folder().parts
