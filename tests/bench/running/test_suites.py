from __future__ import annotations

import pytest

from bench.core.errors import RequestError, UnknownNameError
from bench.options.run import RunOptions
from bench.running.plan import plan
from bench.running.suites import select_models, select_variants
from bench.runtimes.base import RUNTIMES


def names(suite: str = "lab", tasks: tuple[str, ...] = (), models: tuple[str, ...] = ()) -> list[str]:
    return [selected.name for selected in select_models(suite, tasks, models)]


def test_the_lab_has_five_models() -> None:
    assert names() == ["mnist/lab1", "mnist/lab2", "sst2/lab1", "sst2/lab2", "cifar10/resnet8"]


def test_a_task_stands_for_its_models_in_the_suite() -> None:
    assert names(tasks=("sst2",)) == ["sst2/lab1", "sst2/lab2"]
    assert names(tasks=("cifar10",)) == ["cifar10/resnet8"]


def test_a_task_outside_the_suite_stands_for_its_first_model() -> None:
    assert names(tasks=("minicifar",)) == ["minicifar/resnet8"]
    assert names("quick", tasks=("cifar10",)) == ["cifar10/resnet8"]


def test_a_bare_model_is_looked_for_in_the_tasks_chosen_then_in_the_suite_then_everywhere() -> None:
    assert names(models=("lab1",), tasks=("mnist",)) == ["mnist/lab1"]
    assert names(models=("lab1",)) == ["mnist/lab1", "sst2/lab1"]
    assert names(models=("resnet8",)) == ["cifar10/resnet8"]
    assert names(models=("resnet20",)) == ["cifar10/resnet20", "cifar100/resnet20", "minicifar/resnet20"]


def test_a_model_named_twice_is_measured_once() -> None:
    assert names(models=("mnist/lab1", "lab1"), tasks=("mnist",)) == ["mnist/lab1"]


@pytest.mark.parametrize(
    ("suite", "tasks", "models", "message"),
    [
        ("labs", (), (), "there is no suite 'labs'; did you mean 'lab'"),
        ("lab", ("mnits",), (), "there is no task 'mnits'; did you mean 'mnist'"),
        ("lab", (), ("lab9",), "there is no model 'lab9'; did you mean 'lab"),
        ("lab", (), ("mnist/lab9",), "there is no mnist model 'lab9'; did you mean 'lab"),
        ("lab", ("zebra",), (), "there is no task 'zebra'; choose from cifar10, cifar100, minicifar, mnist, sst2"),
    ],
)
def test_an_unknown_name_is_answered_with_a_known_one(
    suite: str, tasks: tuple[str, ...], models: tuple[str, ...], message: str
) -> None:
    with pytest.raises(UnknownNameError, match=message):
        select_models(suite, tasks, models)


def test_a_model_of_another_task_than_the_one_chosen_is_refused() -> None:
    with pytest.raises(RequestError, match="drop one of the two"):
        select_models("lab", ("sst2",), ("mnist/lab1",))


def test_the_baseline_comes_along_and_first() -> None:
    assert [str(key) for key in select_variants(["amp", "fp16", "amp"], ["eager"])] == ["fp32", "amp", "fp16"]


def test_every_technique_is_taken_on_every_runtime() -> None:
    variants = select_variants(["static-qint8"], ["onnxruntime", "eager", "onnxruntime"])
    assert [str(key) for key in variants] == ["fp32", "static-qint8@onnxruntime", "static-qint8"]


def test_all_stands_for_the_runtimes_that_users_are_offered() -> None:
    runtimes = {key.runtime for key in select_variants(["fp32"], ["all"])}
    assert {"eager", "inductor", "onnxruntime", "openvino"} <= runtimes
    assert "again" not in runtimes


def test_a_runtime_of_the_self_check_is_unknown_to_users() -> None:
    with pytest.raises(UnknownNameError, match="there is no runtime 'again'"):
        select_variants(["fp32"], ["again"])


def test_the_suite_deploy_is_four_techniques_on_every_runtime() -> None:
    spec = plan(RunOptions(suite="deploy"))
    assert spec.models == names()
    assert spec.runtimes == [runtime.name for runtime in RUNTIMES.offered()]
    assert spec.techniques == ["fp32", "bf16", "dynamic-qint8", "static-qint8"]
    assert len(spec.variants) == 4 * len(spec.runtimes)


def test_what_is_asked_for_takes_the_place_of_what_a_suite_has() -> None:
    spec = plan(RunOptions(suite="deploy", techniques="fp16", runtimes="onnxruntime", models="mnist/lab1"))
    assert [str(key) for key in spec.variants] == ["fp32", "fp16@onnxruntime"]
    assert plan(RunOptions()).runtimes == ["eager"]


def test_a_suite_that_is_not_there_is_refused() -> None:
    with pytest.raises(UnknownNameError, match="there is no suite 'deploi'; did you mean 'deploy'"):
        plan(RunOptions(suite="deploi"))
