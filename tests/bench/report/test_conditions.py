"""What a report says of the conditions of a run, where they are not the usual ones."""

from __future__ import annotations

from bench.report import conditions
from tests.bench.examples import MACHINE, RUN, TRAINING


def test_a_cpu_quota_is_shown_where_there_is_one() -> None:
    limited = MACHINE.model_copy(update={"cpu_quota": 1.5})
    assert "1.5 cores" in conditions.hardware(limited).markdown()
    assert "quota" not in conditions.hardware(MACHINE).markdown()


def test_on_cuda_it_is_said_that_tf32_is_off() -> None:
    on_cuda = RUN.settings.model_copy(update={"device": "cuda", "tf32": False, "pinned_cores": []})
    shown = conditions.settings(RUN.model_copy(update={"settings": on_cuda})).markdown()
    assert "cuda, 1, TF32 off" in shown
    assert "TF32" not in conditions.settings(RUN).markdown()


def test_a_training_names_its_processor_where_it_is_not_the_machines_cpu() -> None:
    def shown(**changes: str) -> str:
        trained = TRAINING.model_copy(update=changes)
        return conditions.training(RUN.model_copy(update={"trainings": [trained]})).markdown()

    assert "3.2 s, 1 thread " in shown() == shown(processor=MACHINE.cpu)
    assert "3.2 s, 1 thread of Another" in shown(processor="Another")
    assert "3.2 s, NVIDIA H200" in shown(device="cuda", processor="NVIDIA H200")
    assert "3.2 s, cuda" in shown(device="cuda")
