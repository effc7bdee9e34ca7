"""Trainings over nodes: students wait, what falls goes on elsewhere, and nodes of another kind are left out."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import pytest

from bench.core.errors import RequestError
from bench.fleet.executor import Job, Node
from bench.fleet.node_child import UNFIT, Event
from bench.fleet.trainings import Spread
from bench.running.model_session import ModelSession
from bench.storage.checkpoint import DistillationSpec, Header, TrainingSpec
from bench.storage.checkpoint_store import CheckpointStore
from bench.techniques.base import TECHNIQUES
from tests.bench.fleet.stub import DONE, FACTS, Script, StubExecutor, lost, node

STATE = b"after an epoch"


@pytest.fixture(scope="module")
def content(session: ModelSession) -> Callable[[TrainingSpec], bytes]:
    """A checkpoint of some training, with the weights of one that was carried out."""
    trained = session.store.source(session.train_one(session.training(TECHNIQUES.get("fp32"))))

    def of(training: TrainingSpec) -> bytes:
        import safetensors

        with safetensors.safe_open(trained, framework="np") as file:
            metadata = dict(file.metadata())
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        header = Header.model_validate_json(metadata["quantbench"]).model_copy(update=dict(training))
        import safetensors.numpy

        return safetensors.numpy.save(tensors, metadata | {"quantbench": header.model_dump_json(by_alias=True)})

    return of


def spread(session: ModelSession, folder: Path, nodes: list[Node], script: Script) -> tuple[Spread, StubExecutor]:
    import dataclasses

    executor = StubExecutor(nodes, script)
    own = dataclasses.replace(session, store=CheckpointStore(folder))
    folder.mkdir(exist_ok=True)
    return Spread(executor, own, "digest", executor.clock), executor


def trainings(session: ModelSession, seeds: Sequence[int] = (1, 2)) -> list[TrainingSpec]:
    return [session.training(TECHNIQUES.get("fp32"), seed) for seed in seeds]


def asked(job: Job) -> TrainingSpec:
    return TrainingSpec.model_validate(job.request["training"])


def test_a_student_waits_for_its_teacher_and_gets_its_weights(
    session: ModelSession, content: Callable[[TrainingSpec], bytes], tmp_path: Path
) -> None:
    [teacher] = trainings(session, [1])
    taught = DistillationSpec(teacher=teacher.file_name, weight=0.5, temperature=1.0, initialise=True)
    student = session.training(TECHNIQUES.get("dorefa:w2a2"), 1, taught)

    def train(one: Node, job: Job) -> Iterable[Event]:
        yield FACTS
        yield {"kind": "file", "name": asked(job).file_name, "content": content(asked(job))}
        yield DONE

    work, executor = spread(session, tmp_path / "store", [node("two", cores=2)], train)
    outcomes = work.train([student, teacher])
    assert all(isinstance(outcome, Header) for outcome in outcomes.values())
    assert [asked(job) for _, _, job in executor.started] == [teacher, student]
    assert teacher.file_name in executor.started[1][2].files


def test_what_a_lost_node_left_goes_on_elsewhere(
    session: ModelSession, content: Callable[[TrainingSpec], bytes], tmp_path: Path
) -> None:
    [training] = trainings(session, [1])
    state = CheckpointStore(tmp_path / "store").unfinished(training).name

    def train(one: Node, job: Job) -> Iterable[Event]:
        yield FACTS
        if one.name == "falls":
            yield {"kind": "file", "name": state, "content": STATE}
            yield lost("the node died")
        else:
            yield {"kind": "file", "name": training.file_name, "content": content(training)}
            yield DONE

    work, executor = spread(session, tmp_path / "store", [node("falls"), node("stays")], train)
    outcomes = work.train([training])
    assert isinstance(outcomes[training], Header)
    assert [one.name for _, one, _ in executor.started] == ["falls", "stays"]
    assert executor.started[1][2].files == {state: STATE}
    assert not (tmp_path / "store" / state).exists(), "a finished training leaves no state"


def test_nodes_of_other_instruction_sets_are_not_used(session: ModelSession, tmp_path: Path) -> None:
    def train(one: Node, job: Job) -> Iterable[Event]:
        yield {"kind": "end", "code": UNFIT, "reason": "its instruction sets are others"}

    work, executor = spread(session, tmp_path / "store", [node("old")], train)
    outcomes = work.train(trainings(session))
    assert len(executor.started) == 1
    assert {str(outcome) for outcome in outcomes.values()} >= {"old: its instruction sets are others"}


def test_a_training_that_fails_is_not_tried_elsewhere(session: ModelSession, tmp_path: Path) -> None:
    def train(one: Node, job: Job) -> Iterable[Event]:
        yield {"kind": "end", "code": 2, "reason": "the training diverged"}

    work, executor = spread(session, tmp_path / "store", [node("a"), node("b")], train)
    [training] = trainings(session, [1])
    assert str(work.train([training])[training]) == "the training diverged"
    assert len(executor.started) == 1


def test_nodes_that_refuse_do_not_count_as_attempts(
    session: ModelSession, content: Callable[[TrainingSpec], bytes], tmp_path: Path
) -> None:
    def train(one: Node, job: Job) -> Iterable[Event]:
        yield FACTS
        if one.name != "good":
            yield lost("its Python lacks torch")
            return
        yield {"kind": "file", "name": asked(job).file_name, "content": content(asked(job))}
        yield DONE

    work, executor = spread(session, tmp_path / "store", [node(name) for name in ("a", "b", "c", "good")], train)
    [training] = trainings(session, [1])
    assert isinstance(work.train([training])[training], Header)
    assert len(executor.started) == 4


def test_a_training_whose_nodes_go_silent_is_given_up(session: ModelSession, tmp_path: Path) -> None:
    def train(one: Node, job: Job) -> Iterable[Event]:
        yield {"kind": "at", "label": "train", "done": 0, "total": 1}

    work, executor = spread(session, tmp_path / "store", [node(name) for name in "abcde"], train)
    [training] = trainings(session, [1])
    assert str(work.train([training])[training]) == "c: nothing was heard of it for 3600 s"
    assert len(executor.started) == len(executor.stopped) == 3


def test_without_the_head_node_the_command_ends_with_its_sentence(session: ModelSession, tmp_path: Path) -> None:
    def train(one: Node, job: Job) -> Iterable[Event]:
        yield {"kind": "at", "label": "train", "done": 0, "total": 1}

    work, executor = spread(session, tmp_path / "store", [node("a")], train)
    executor.head_lives_s = 1.0
    with pytest.raises(RequestError, match="the cluster's head node does not answer"):
        work.train(trainings(session, [1]))


def test_a_process_that_dies_everywhere_is_given_up(session: ModelSession, tmp_path: Path) -> None:
    def train(one: Node, job: Job) -> Iterable[Event]:
        yield {"kind": "end", "code": -9, "reason": "its process was killed (SIGKILL)"}

    work, executor = spread(session, tmp_path / "store", [node(name) for name in "abcde"], train)
    [training] = trainings(session, [1])
    assert "SIGKILL" in str(work.train([training])[training])
    assert len(executor.started) == 3
