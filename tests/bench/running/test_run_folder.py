"""An unfinished run is taken up again on the machine that began it."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path

import pytest

from bench.core.errors import RequestError, RunFileError
from bench.results import run_file
from bench.running.run_folder import RUN_FILE, RunFolder, held
from tests.bench import examples


@pytest.fixture
def unfinished(tmp_path: Path) -> Path:
    run = examples.RUN.model_copy(update={"finished": False, "quantbench": version("quantbench")})
    run_file.save(run, tmp_path / RUN_FILE)
    return tmp_path


def test_memory_that_differs_by_a_page_does_not_stand_in_the_way(unfinished: Path) -> None:
    assert examples.MACHINE.memory_bytes is not None
    here = examples.MACHINE.model_copy(update={"memory_bytes": examples.MACHINE.memory_bytes - 4096})
    assert RunFolder.open(unfinished, examples.RUN.settings, here).run.rows


def test_another_cpu_does(unfinished: Path) -> None:
    here = examples.MACHINE.model_copy(update={"cpu": "Other CPU"})
    with pytest.raises(RunFileError, match="CPU 'Example CPU 3000', now 'Other CPU'"):
        RunFolder.open(unfinished, examples.RUN.settings, here)


def test_a_request_that_is_refused_leaves_none_of_the_folders_that_were_made_for_it(tmp_path: Path) -> None:
    (tmp_path / "kept").mkdir()
    with pytest.raises(RequestError), held(tmp_path / "kept/runs/own"):
        raise RequestError("no such model")
    assert [path.name for path in tmp_path.rglob("*")] == ["kept"]
    with held(tmp_path / "runs/own"):
        (tmp_path / "runs/own/run.json").touch()
    assert (tmp_path / "runs/own/run.json").exists()
