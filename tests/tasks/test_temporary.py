"""Nothing is left of a process that was killed, and what a living one holds is let be."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from bench.tasks.temporary import PREFIX, lock, temporary_folder, write_whole

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no locks on folders")
DIES = """
import os, signal, sys
from pathlib import Path
from bench.tasks.temporary import temporary_folder

with temporary_folder(Path(sys.argv[1])) as folder:
    (folder / "file").touch()
    os.kill(os.getpid(), signal.SIGKILL)
"""


def killed(place: Path) -> None:
    """Let a process be killed that has a folder in ``place``."""
    assert subprocess.run([sys.executable, "-c", DIES, place], check=False).returncode < 0


def test_a_folder_is_of_this_user_alone_and_goes_with_its_files(tmp_path: Path) -> None:
    with temporary_folder(tmp_path) as folder:
        (folder / "file").touch()
        assert folder.parent == tmp_path
        assert folder.stat().st_mode & 0o77 == 0
    assert list(tmp_path.iterdir()) == []


def test_by_default_it_lies_where_the_system_has_them() -> None:
    with temporary_folder() as folder:
        assert folder.parent == Path(tempfile.gettempdir())


def test_what_a_killed_process_left_the_next_one_removes(tmp_path: Path) -> None:
    killed(tmp_path)
    assert [[path.name for path in left.iterdir()] for left in tmp_path.iterdir()] == [["file"]]
    with temporary_folder(tmp_path) as folder:
        assert list(tmp_path.iterdir()) == [folder]


def test_what_others_have_there_stays(tmp_path: Path) -> None:
    names = {"quantbench-results_", f"{PREFIX}mine", f"{PREFIX}12345678.txt", PREFIX}
    for name in names:
        (tmp_path / name).mkdir()
    (tmp_path / f"{PREFIX}abcdefgh").touch()  # a file
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / f"{PREFIX}abcdefg_").symlink_to(tmp_path / "elsewhere")
    before = {path.name for path in tmp_path.iterdir()}
    with temporary_folder(tmp_path) as ours, temporary_folder(tmp_path) as again:
        assert ours.is_dir(), "a living one is not removed"
        assert again != ours
    assert {path.name for path in tmp_path.iterdir()} == before


def test_a_file_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    write_whole(tmp_path / "new" / "file", b"first")
    write_whole(tmp_path / "new" / "file", b"second")
    with pytest.raises(TypeError):
        write_whole(tmp_path / "new" / "file", "no bytes")  # type: ignore[arg-type]
    assert {path.name: path.read_bytes() for path in (tmp_path / "new").iterdir()} == {"file": b"second"}


def test_a_lock_is_one_process_s_and_ends_with_it(tmp_path: Path) -> None:
    with lock(tmp_path) as ours, lock(tmp_path) as again:
        assert (ours, again) == (True, False)
    with lock(tmp_path) as ours:
        assert ours
    assert list(tmp_path.iterdir()) == []
