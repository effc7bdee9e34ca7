"""Where files can be written, found out before anything takes long."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.core.errors import RequestError
from bench.core.files import require_writable, write_atomically


def test_a_folder_that_can_be_made_is_left_to_what_writes(tmp_path: Path) -> None:
    require_writable(tmp_path / "runs" / "sensitivity")
    assert not list(tmp_path.iterdir())
    write_atomically(tmp_path / "runs" / "sensitivity" / "file", "text")
    assert (tmp_path / "runs" / "sensitivity" / "file").read_text(encoding="utf-8") == "text"


@pytest.mark.parametrize("folder", ["file", "file/below", "file/far/below"])
def test_a_file_is_no_folder(tmp_path: Path, folder: str) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(RequestError, match=r"cannot be written .*--out"):
        require_writable(tmp_path / folder)
