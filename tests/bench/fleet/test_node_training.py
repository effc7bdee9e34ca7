"""Trainings on a node, without Ray: one process for all, a forked worker for each, and one machine's weights."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import psutil
import pytest

from bench.fleet import node_child, node_task, parcel
from bench.fleet.node_child import KILLED, UNFIT, Event
from bench.fleet.package import package
from bench.fleet.request import TrainingRequest
from bench.fleet.trainings import MODULE
from bench.measuring import machine
from bench.running.model_session import ModelSession
from bench.storage.checkpoint import TrainingSpec, weights_digest
from bench.techniques.base import TECHNIQUES

pytestmark = pytest.mark.skipif(os.name != "posix", reason="other systems spawn a worker for each training")


@pytest.fixture(autouse=True)
def node_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    monkeypatch.setenv("QUANTBENCH_CACHE", str(tmp_path / "cache of the node"))
    yield
    while node_child._kept:
        node_child._end(node_child._kept.popitem()[1])


def said(session: ModelSession, training: TrainingSpec, isa: list[str]) -> Iterator[Event]:
    """What a node says of a training."""
    content, dataset = package(), parcel.of_file(session.dataset.path)
    parcels = {one.digest: one for one in (content, dataset)}
    job: Mapping[str, Any] = {
        "module": MODULE,
        "request": TrainingRequest(training=training, dataset=dataset.digest, training_isa=isa).model_dump(
            mode="json", by_alias=True
        ),
        "package": content.digest,
        "dependencies": [],
        "niceness": os.getpriority(os.PRIO_PROCESS, 0),
        "watched": [training.file_name],
        "files": {},
        "resident": True,
    }
    folders = {digest: one.folder for digest, one in parcels.items()}
    return node_task.work(job, folders, lambda digest: parcels[digest].content)


def resident() -> psutil.Process:
    """The process that stays for the next training."""
    [(process, *_)] = node_child._kept.values()
    return psutil.Process(process.pid)


def test_one_process_trains_what_a_machine_alone_would(session: ModelSession, tmp_path: Path) -> None:
    fp32 = TECHNIQUES.get("fp32")
    trainings = [session.training(fp32, seed) for seed in (1, 2)]
    pids = set()
    for training in trainings:
        *_, file, end = said(session, training, machine.instruction_sets())
        assert end == {"kind": "end", "code": 0, "reason": ""}
        pids.add(resident().pid)
        (tmp_path / training.file_name).write_bytes(file["content"])
    assert len(pids) == 1
    session.train(trainings)
    for training in trainings:
        assert weights_digest(tmp_path / training.file_name) == weights_digest(session.store.source(training))


def test_a_node_of_other_instruction_sets_does_not_train(session: ModelSession) -> None:
    *_, end = said(session, session.training(TECHNIQUES.get("fp32"), 3), ["ALTIVEC"])
    assert end["code"] == UNFIT


def test_a_killed_training_leaves_the_process_for_the_next(session: ModelSession) -> None:
    training = session.training(TECHNIQUES.get("fp32"), 4)
    endless = training.model_copy(update={"recipe": {**training.recipe, "epochs": 1000}})
    isa = machine.instruction_sets()
    list(said(session, session.training(TECHNIQUES.get("fp32"), 5), ["ALTIVEC"]))  # starts it
    stays = resident()
    end: Event = {}
    for event in said(session, endless, isa):
        if event["kind"] == "at" and event["label"].startswith("train "):
            [server] = [one for one in stays.children() if "forkserver" in " ".join(one.cmdline())]
            for worker in server.children():
                worker.kill()
        end = event
    assert end["code"] == KILLED
    assert "runs out of memory" in end["reason"]
    assert resident() == stays
    *_, end = said(session, training, isa)
    assert end["code"] == 0
