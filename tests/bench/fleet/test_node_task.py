"""What a node does, without Ray: parcels, environment, niceness, and a run with the driver's data and weights."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import psutil
import pytest

from bench.core.progress import Bars
from bench.fleet import node_child, node_task, parcel, ray_executor
from bench.fleet.cargo import Shipment, prepare
from bench.fleet.node_child import KILLED, REFUSED, UNFIT, Event
from bench.fleet.package import package
from bench.fleet.parcel import Parcel
from bench.fleet.runner import MODULE
from bench.options.fleet import FleetOptions
from bench.results.run import Run
from bench.running.plan import plan
from bench.tasks.temporary import PREFIX, temporary_folder

PROBE = b"""
import json, os, sys
for line in sys.stdin:
    request = json.load(open(line.strip()))
    names = [name for name in os.environ if name.startswith(("RAY_", "OMP_NUM", "PYTHONPATH"))]
    label = ",".join(sorted(names)) + f" {os.getpid()}"
    open(request["folder"] + "/out/result", "w").write(request["word"])
    print(json.dumps({"kind": "at", "label": label, "done": 0, "total": 1}), flush=True)
    print(json.dumps({"kind": "end", "code": request["code"], "reason": ""}), flush=True)
"""


@pytest.fixture(autouse=True)
def node_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Path]:
    monkeypatch.setenv("QUANTBENCH_CACHE", str(tmp_path / "cache of the node"))
    yield tmp_path / "cache of the node" / "fleet"
    while node_child._kept:
        node_child._end(node_child._kept.popitem()[1])


def job_of(request: Mapping[str, Any], package: Parcel, module: str, **others: Any) -> dict[str, Any]:
    return {
        "module": module,
        "request": request,
        "package": package.digest,
        "dependencies": [],
        "niceness": os.getpriority(os.PRIO_PROCESS, 0),
        "watched": ["result"],
        "files": {},
        "resident": False,
        **others,
    }


def events(
    request: Mapping[str, Any], package: Parcel, others: Mapping[str, Parcel], module: str, **job: Any
) -> list[Event]:
    parcels = {package.digest: package, **others}
    folders = {digest: one.folder for digest, one in parcels.items()}
    content = job_of(request, package, module, **job)
    return list(node_task.work(content, folders, lambda digest: parcels[digest].content))


def test_the_process_has_nothing_of_rays_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("RAY_JOB_ID", "OMP_NUM_THREADS", "PYTHONPATH"):
        monkeypatch.setenv(name, "1")
    package = parcel.of_files({"probe.py": PROBE})
    said = events({"word": "here", "code": 0}, package, {}, "probe")
    assert [event["label"].split()[0] for event in said if event["kind"] == "at"] == ["fetch", "PYTHONPATH"]
    assert {"kind": "file", "name": "result", "content": b"here"} in said
    assert said[-1] == {"kind": "end", "code": 0, "reason": ""}


def test_files_that_are_there_are_not_sent_back() -> None:
    said = events(
        {"word": "same", "code": 0}, parcel.of_files({"probe.py": PROBE}), {}, "probe", files={"result": b"same"}
    )
    assert not [event for event in said if event["kind"] == "file"]


def pid_of(said: list[Event]) -> int:
    labels = [event["label"] for event in said if event["kind"] == "at"]
    return int(labels[-1].split()[-1])


def test_a_resident_process_takes_the_next_job_unless_it_has_died() -> None:
    probe = parcel.of_files({"probe.py": PROBE, "other.py": PROBE})
    pids = [pid_of(events({"word": word, "code": 0}, probe, {}, "probe", resident=True)) for word in ("a", "b")]
    assert pids[0] == pids[1]
    assert pid_of(events({"word": "c", "code": 0}, probe, {}, "other", resident=True)) != pids[0], "of another module"
    os.kill(pids[0], signal.SIGKILL)
    psutil.wait_procs([psutil.Process(pids[0])], timeout=60)
    said = events({"word": "d", "code": 0}, probe, {}, "probe", resident=True)
    assert pid_of(said) != pids[0]
    assert said[-1]["code"] == 0


def test_a_process_that_is_not_resident_ends_with_its_job() -> None:
    probe = parcel.of_files({"probe.py": PROBE})
    said = events({"word": "", "code": 0}, probe, {}, "probe")
    assert not psutil.pid_exists(pid_of(said))


def test_what_a_node_lacks_is_its_reason() -> None:
    said = events({}, parcel.of_files({}), {}, "probe", dependencies=["torch", "no-such-package"])
    assert said[-1]["reason"].startswith("its Python lacks no-such-package; install quantbench there")


def test_a_low_priority_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(node_task, "_niceness", lambda: 15)
    said = events({}, parcel.of_files({}), {}, "probe", niceness=0)
    assert "RAY_worker_niceness=0 ray start" in said[-1]["reason"]


def test_what_the_node_has_is_not_fetched_again() -> None:
    package = parcel.of_files({"probe.py": PROBE})
    events({"word": "", "code": 0}, package, {}, "probe")

    def fetch(digest: str) -> bytes:
        raise AssertionError("it has been there")

    assert node_task._keep(package.digest, True, fetch).is_dir()


def test_damaged_parcels_are_refused(node_cache: Path) -> None:
    with pytest.raises(ValueError, match="another checksum"):
        node_task._keep("0" * 64, False, lambda digest: b"other")
    assert not list(node_cache.iterdir())


SPEAKS = b"""
from bench.core.errors import TrainingError, WorkerLostError
from bench.fleet.node_process import UnfitNodeError, serve

ERRORS = {2: TrainingError, 3: UnfitNodeError, -9: WorkerLostError}

def work(text, bars):
    print("a model speaks")
    bars.stage("speak")(1, 1)
    code = __import__("json").loads(text)["code"]
    if code in ERRORS:
        raise ERRORS[code]("why")
    assert not code, "unforeseen"

if __name__ == "__main__":
    serve(work)
"""


def speaking() -> Parcel:
    """Quantbench with a module that prints, as users' models do."""
    contents = {"speaks.py": SPEAKS}
    with zipfile.ZipFile(io.BytesIO(package().content)) as archive:
        contents |= {name: archive.read(name) for name in archive.namelist()}
    return parcel.of_files(contents)


def test_what_a_model_prints_is_no_event() -> None:
    said = events({"code": 0}, speaking(), {}, "speaks")
    assert [event["label"] for event in said if event["kind"] == "at"] == ["fetch files", "speak"]
    assert said[-1] == {"kind": "end", "code": 0, "reason": ""}


def test_each_kind_of_error_has_its_code() -> None:
    speaks = speaking()
    ends = [events({"code": code}, speaks, {}, "speaks", resident=True)[-1] for code in (REFUSED, UNFIT, KILLED, 1)]
    assert [end["code"] for end in ends] == [REFUSED, UNFIT, KILLED, 1]
    assert [end["reason"] for end in ends[:3]] == ["why"] * 3
    assert "AssertionError: unforeseen" in ends[3]["reason"]


def test_a_cache_that_cannot_be_written_is_its_reason(node_cache: Path) -> None:
    node_cache.parent.write_text("a file is in the way")
    assert "its cache" in events({}, parcel.of_files({}), {}, "probe")[-1]["reason"]


def test_the_reason_names_a_kill() -> None:
    kill = parcel.of_files({"probe.py": b"import os, signal; os.kill(os.getpid(), signal.SIGKILL)"})
    said = events({}, kill, {}, "probe", resident=True)
    assert said[-1]["code"] == KILLED
    assert "runs out of memory" in said[-1]["reason"]


@pytest.fixture(scope="module")
def shipment(shared_cache: Path) -> Shipment:
    """A run of one model, whose data and weights are made here."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("QUANTBENCH_CACHE", str(shared_cache))
        options = FleetOptions(
            models="mnist/lab1", techniques="fp32", data="synthetic", epochs=1, batch_sizes=1, precision=0.9, spread_s=0
        )
        return prepare(plan(options), [], options, Bars("nothing"))


def test_a_node_measures_with_the_drivers_data_and_weights(shipment: Shipment, node_cache: Path) -> None:
    request = shipment.request.model_dump(mode="json")
    others = {digest: one for digest, one in shipment.parcels.items() if digest != shipment.package}
    said = events(request, shipment.parcels[shipment.package], others, MODULE, watched=["run.json"])
    assert said[-1]["reason"] == ""
    files = [event["content"] for event in said if event["kind"] == "file"]
    run = Run.model_validate(json.loads(files[-1]))
    assert run.finished
    assert [row.status for row in run.rows] == ["ok"]
    assert not (node_cache.parent / "checkpoints").exists(), "nothing was trained there"
    assert not (node_cache.parent / "data").exists(), "and no data were made there"
    assert "train mnist/lab1 (float32)" not in {event.get("label") for event in said}
    assert sys.version.startswith(run.machine.python)


WITHOUT_QUANTBENCH = """
import pickle, sys

sys.modules["bench"] = None
work, job, folders, contents = pickle.load(sys.stdin.buffer)
*_, end = work(job, folders, contents.__getitem__)
print(end["code"], end["reason"])
"""


def test_what_is_sent_works_where_quantbench_is_not() -> None:
    pytest.importorskip("ray")
    from ray import cloudpickle

    ray_executor._remote()  # from now on its modules travel by value
    package = parcel.of_files({"probe.py": PROBE})
    job = job_of({"word": "", "code": 0}, package, "probe")
    sent = cloudpickle.dumps((node_task.work, job, {package.digest: True}, {package.digest: package.content}))
    command = [sys.executable, "-c", WITHOUT_QUANTBENCH]
    done = subprocess.run(command, input=sent, capture_output=True, check=False)
    assert (done.returncode, done.stdout) == (0, b"0 \n"), done.stderr.decode()


WHILE_A_PARCEL_IS_UNPACKED = """
import zipfile
from pathlib import Path

from bench.fleet import node_task, parcel
from tests.bench.fleet.test_node_task import killed_beside

zipfile.ZipFile.extractall = lambda self, folder: killed_beside(folder)
made = parcel.of_files({"file": b""})
node_task._keep(made.digest, True, lambda digest: made.content)
"""
WHILE_ITS_PROCESS_WORKS = """
from bench.fleet import node_child
from tests.bench.fleet.test_node_task import killed_beside

_, folder, _ = node_child._started("json.tool", "")
killed_beside(folder / "request.json")
"""


def killed_beside(path: Path) -> None:
    """Say that a file was made in a temporary folder, wait for a line, and die as Ray has its workers die."""
    path.touch()
    print(path, flush=True)
    input()
    os.kill(os.getpid(), signal.SIGKILL)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no locks on folders")
@pytest.mark.parametrize("script", [WHILE_A_PARCEL_IS_UNPACKED, WHILE_ITS_PROCESS_WORKS])
def test_what_a_killed_node_left_the_next_one_removes_and_not_before(
    script: str, node_cache: Path, tmp_path: Path
) -> None:
    environment = os.environ | {"TMPDIR": str(tmp_path), "PYTHONPATH": str(Path.cwd())}
    pipe = subprocess.PIPE
    with subprocess.Popen([sys.executable, "-c", script], env=environment, stdin=pipe, stdout=pipe, text=True) as node:
        assert node.stdout is not None
        left = Path(node.stdout.readline().strip())
        place = left.parent.parent
        assert place in (tmp_path, node_cache)
        with temporary_folder(place):
            assert left.exists()
        node.communicate("\n")
    assert node.returncode == KILLED
    assert left.exists()
    with temporary_folder(place) as other:
        assert [path for path in place.iterdir() if path.name.startswith(PREFIX)] == [other]
