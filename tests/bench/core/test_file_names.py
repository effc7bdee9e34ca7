from __future__ import annotations

import pytest

from bench.core.file_names import file_name


@pytest.mark.parametrize(
    ("name", "file"),
    [("cifar10/resnet8", "cifar10-resnet8"), ("../a b:c@d.e", "..-a-b-c-d.e"), ("模型", "模型"), ("", "")],
)
def test_what_is_no_letter_becomes_a_dash(name: str, file: str) -> None:
    assert file_name(name) == file


@pytest.mark.parametrize("letter", ["x", "模"])
def test_long_names_are_cut_and_stay_apart(letter: str) -> None:
    names = {file_name(f"{letter * 300}{ending}x") for ending in ("a", "b")}
    assert len(names) == 2
    assert all(len(name.encode()) <= 150 for name in names)
