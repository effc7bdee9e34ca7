"""All committed reports: each folder of ``reports/`` is one part, or is not made again for the reason given."""

from __future__ import annotations

from tests.benchmarks.reports import steps
from tests.benchmarks.reports.needs import AVX2_ALONE, BFLOAT16, OPENVINO, RAY, REAL_DATA, RUNTIMES, TWO_CORES, VNNI
from tests.benchmarks.reports.part import Command, Part, bench, script

NOT_REMADE = {"gpu": "a GPU was at hand for a quarter of an hour, three times; the page says what was seen on it"}
REAL = ("--data", "real")
LOW_BIT = (
    *("dorefa:w32a32", "dorefa:w8a8", "dorefa:w4a4", "dorefa:w2a2", "dorefa:w1a32", "dorefa:w1a1"),
    *("pact:w4a4", "pact:w2a2", "bwn", "binaryconnect", "xnor"),
    *("range-linear:w8a8,per-channel", "range-linear:w4a8,per-channel"),
)
SEEDS = tuple(word for seed in range(6) for word in ("--seed", str(seed)))
"""Of the distillation: with three, half a point cannot be told from chance."""
RESNET20 = ("cifar10/resnet20", "--epochs", "60")
OWN = (
    *("--model", "net.py:build", "--inputs", "net.py:inputs", "--evaluate", "net.py:accuracy"),
    *("--calibrate", "net.py:batches", "--precision", "3%", "--out", "{out}"),
)
LAB_RUN = "{reports}/lab/run.json"
AVX2_RUN = "{reports}/avx2/lab/run.json"


def _run(*words: str, out: str = "{out}") -> Command:
    return bench("run", *words, *REAL, "--out", out)


def _train(model: str, *words: str, out: str = "{out}") -> Command:
    return bench("train", model, *words, *REAL, "--out", out)


def _techniques(*names: str) -> tuple[str, ...]:
    return tuple(word for name in names for word in ("--technique", name))


def _alone(epochs: int) -> Command:
    words = (*_techniques("dorefa:w1a1"), "--epochs", str(epochs), *SEEDS)
    return _train("minicifar/resnet8", *words, out=f"{{scratch}}/{epochs}")


def _sensitivity(model: str, technique: str) -> Part:
    command = bench("sensitivity", model, *_techniques(technique), *REAL, "--out", "{out}")
    return Part(f"sensitivity-{model.replace('/', '-')}", 100, (command,), needs=(REAL_DATA,))


MEASURED = (
    Part(
        "lab",
        260,
        (_run("--suite", "lab"), bench("report", "{out}/run.json", "--html", "--out", "{out}/report.html")),
        needs=(REAL_DATA,),
    ),
    Part("lab-2-threads", 240, (_run("--suite", "lab", "--threads", "2"),), needs=(REAL_DATA, TWO_CORES)),
    Part(
        "compare",
        5,
        (bench("compare", LAB_RUN, "{reports}/lab-2-threads/run.json", "--out", "{out}/threads.md"),),
        after=("lab", "lab-2-threads"),
    ),
    Part("deploy", 500, (_run("--suite", "deploy"),), needs=(REAL_DATA, RUNTIMES)),
    Part(
        "deploy-resnet20",
        220,
        (
            steps.use_committed_resnet20,
            _run("--model", *RESNET20, *_techniques("bf16", "dynamic-qint8", "static-qint8"), "--runtime", "all"),
        ),
        needs=(REAL_DATA, RUNTIMES, BFLOAT16),
    ),
    Part(
        "own-model",
        150,
        (
            steps.copy_example,
            Command(("net.py",), within="{scratch}"),
            Command(("-m", "bench", "run", *OWN), within="{scratch}"),
        ),
    ),
    Part("own-models", 3900, (script("own_models"),), needs=(RUNTIMES,)),
    Part(
        "avx2",
        600,
        (_run("--suite", "lab", out="{out}/lab"), steps.keep_compared_run("lab")),
        needs=(REAL_DATA, AVX2_ALONE),
    ),
    Part(
        "machines",
        280,
        (
            _run("--suite", "lab", "--isa", "avx2", out="{out}/avx2-as-if"),
            steps.keep_compared_run("avx2-as-if"),
            bench("compare", LAB_RUN, "{out}/avx2-as-if/run.json", AVX2_RUN, "--out", "{out}/comparison.md"),
        ),
        needs=(REAL_DATA, VNNI),
        after=("lab", "avx2"),
    ),
    _sensitivity("mnist/lab2", "dynamic-qint8"),
    _sensitivity("sst2/lab2", "dynamic-qint8"),
    _sensitivity("cifar10/resnet8", "range-linear:w4a4"),
)
"""Runs, studies and comparisons."""
HARNESS = (
    Part("selfcheck", 110, (bench("selfcheck", "--out", "{out}"),)),
    Part("sampling", 160, (script("sampling", "--threads", "1"),)),
    Part("trust", 2950, (script("trust", whole=steps.has_table),), needs=(TWO_CORES,)),
    Part(
        "gate",
        7900,
        (script("gate", "--tries", str(steps.TRIES), whole=steps.has_every_try),),
        needs=(REAL_DATA,),
    ),
    Part("speed", 300, (script("suite_speed"),), needs=(REAL_DATA,)),
    Part("allocator", 240, (script("allocator"),), needs=(REAL_DATA,)),
    Part(
        "training-speed",
        1100,
        (script("training_speed"), script("training_step"), script("training_memory")),
        needs=(REAL_DATA,),
    ),
    Part(
        "fleet",
        1000,
        (script("fleet_disturbance"), script("fleet_simulation"), script("fleet_trainings", "--epochs", "300")),
        needs=(RAY, TWO_CORES),
        after=("lab",),
    ),
    Part("binary-convolution", 60, (script("binary_convolution"),), needs=(OPENVINO,)),
)
"""What the harness, the gate, trainings and kernels are worth."""
TRAINED = (
    Part(
        "binaryconnect",
        480,
        (_train("mnist/mlp3x1024", *_techniques("fp32", "binaryconnect")),),
        needs=(REAL_DATA,),
    ),
    Part("dorefa-clip", 400, (script("dorefa_clip"),), needs=(REAL_DATA, BFLOAT16)),
    Part("compression", 650, (script("compression"),), needs=(REAL_DATA,)),
    Part("cifar-recipe", 900, (script("cifar_recipe"),), needs=(REAL_DATA, BFLOAT16), on_gpu=True),
    Part("lowbit-post-training", 2400, (script("post_training"),), needs=(REAL_DATA,)),
    Part(
        "lowbit",
        4700,
        (_run("--model", "cifar10/resnet8", *_techniques(*LOW_BIT)),),
        needs=(REAL_DATA, BFLOAT16),
        on_gpu=True,
    ),
    Part(
        "wrpn",
        2700,
        (_run("--model", "cifar10/resnet8", *_techniques("wrpn:w2a2", "wrpn:w2a2,wide=2")),),
        needs=(REAL_DATA, BFLOAT16),
        on_gpu=True,
    ),
    Part(
        "distillation",
        10_000,
        (
            bench("distill", "minicifar/resnet8", "--epochs", "20", *SEEDS, *REAL, "--out", "{out}"),
            *(_alone(epochs) for epochs in steps.ALONE),
            steps.keep_trained_alone,
        ),
        needs=(REAL_DATA, BFLOAT16),
        on_gpu=True,
    ),
    Part(
        "resnet20",
        5200,
        (_train(*RESNET20), steps.keep_checkpoints),
        needs=(REAL_DATA, BFLOAT16),
        long=True,
    ),
    Part(
        "lowbit-resnet20",
        600_000,
        (script("low_bit_resnet20"),),
        needs=(REAL_DATA, BFLOAT16),
        after=("resnet20",),
        long=True,
        continues=True,
    ),
)
"""What rests on trainings. Those of ResNet-20 start from the committed one, so it is made anew with them alone."""
PARTS = (*MEASURED, *HARNESS, *TRAINED)
"""In the order in which they are made: what is made of others comes after them, the longest last."""
