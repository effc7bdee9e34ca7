"""Records that tests of results and reports start from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from bench.results.latency import Latency, Speedup, plain_estimate
from bench.results.machine import Machine
from bench.results.provenance import Data, Training
from bench.results.row import Accuracy, Agreement, Layers, Row
from bench.results.run import Run
from bench.results.settings import Settings
from bench.stats.describe import run_means
from bench.stats.interval import LATENCY_CONFIDENCE
from bench.stats.proportions import mcnemar

MACHINE = Machine(
    cpu="Example CPU 3000",
    architecture="x86_64",
    isa=["AVX2", "AVX512-VNNI"],
    physical_cores=2,
    logical_cores=4,
    memory_bytes=16 * 2**30,
    accelerators=[],
    os="Linux 6.1",
    python="3.12.1",
    torch="2.14.1",
    quantized_engines=["x86", "fbgemm"],
    quantized_engine="x86",
)
SETTINGS = Settings(
    suite="quick",
    models=["mnist/lab1"],
    techniques=["fp32", "fp16", "dynamic-qint8", "static-qint8", "amp"],
    batch_sizes=[1, 64],
    runs=5,
    precision=0.05,
    budget_s=None,
    timeout_s=600.0,
    threads=1,
    pinned_cores=[3],
    device="cpu",
    engine="x86",
    seed=0,
    data="auto",
)
DATA = Data(
    task="mnist",
    kind="real",
    title="MNIST",
    origin="MNIST, found in the data root",
    note="",
    citation="LeCun et al. 1998",
    fingerprint="0123456789abcdef",
    train_examples=60_000,
    test_examples=10_000,
)
TRAINING = Training(
    model="mnist/lab1",
    precision="float32",
    description="MLP 784-512-10 on 28×28 pixels",
    recipe={"optimizer": "adam", "learning_rate": 0.001, "batch_size": 100, "epochs": 2},
    recipe_hash="abcdef012345",
    seed=0,
    seconds=3.21,
    threads=1,
    device="cpu",
)


def latency(
    seconds: float,
    wobble: float = 0.01,
    repeated: int = 0,
    disturbed: Sequence[int] = (),
    causes: Mapping[str, int] | None = None,
    warm: bool = True,
) -> Latency:
    """Ten rounds, each in a process of its own, around ``seconds``, the farthest of them ``2 * wobble`` away."""
    rounds_s = [seconds * (1 + wobble * step) for step in (-2, 0, -1, 2, 1, 0, 2, -2, 1, -1)]
    return Latency(
        estimate_s=plain_estimate(range(10), rounds_s),
        runs_s=run_means(rounds_s, 5),
        processes=list(range(10)),
        rounds=list(range(10)),
        rounds_s=rounds_s,
        repeated_s=[2 * seconds] * repeated,
        disturbed=list(disturbed),
        causes=dict(causes or {}),
        calls_per_block=100,
        warm_up_s=[seconds],
        cold=0 if warm else 10,
    )


def speedup(value: float, margin: float, p_value: float, n: int = 10) -> Speedup:
    """``value ± margin``."""
    return Speedup(
        value=value, low=value - margin, high=value + margin, confidence=LATENCY_CONFIDENCE, p_value=p_value, n=n
    )


def agreement(same: int, lost: int, gained: int) -> Agreement:
    """Answers beside fp32's, and McNemar's p-value of them."""
    return Agreement(same=same, lost=lost, gained=gained, p_value=mcnemar(lost, gained))


FP32 = Row(
    task="mnist",
    model="lab1",
    technique="fp32",
    scheme="--",
    dtype="float32",
    status="ok",
    size_bytes=1_630_429,
    packed_bytes=1_628_604,
    bytes_by_dtype={"float32": 1_628_200},
    params=407_050,
    layers=Layers(changed=0, total=2),
    macs=784 * 512 + 512 * 10,
    accuracy=Accuracy(correct=9707, total=10_000),
    latency={1: latency(50e-6), 64: latency(600e-6)},
    peak_memory_bytes=2_310_144,
)
FP16 = Row(
    task="mnist",
    model="lab1",
    technique="fp16",
    scheme="--",
    dtype="float16",
    status="noisy",
    reason="the speed-up is known to ±14.42 % at batch 64, where ±5.00 % was asked",
    size_bytes=816_330,
    packed_bytes=814_520,
    bytes_by_dtype={"float16": 814_100},
    params=407_050,
    layers=Layers(changed=2, total=2),
    macs=784 * 512 + 512 * 10,
    accuracy=Accuracy(correct=9707, total=10_000),
    agreement=agreement(same=10_000, lost=0, gained=0),
    latency={
        1: latency(49e-6),
        64: latency(577e-6, wobble=0.1, repeated=6, disturbed=[4, 7], causes={"steal": 7, "switch": 1}),
    },
    speedup={1: speedup(1.02, 0.02, p_value=0.06), 64: speedup(1.04, 0.15, p_value=0.51)},
    peak_memory_bytes=1_490_944,
)
QINT8 = Row(
    task="mnist",
    model="lab1",
    technique="dynamic-qint8",
    scheme="D",
    dtype="qint8",
    status="ok",
    notes=["this CPU has no VNNI: int8 products are summed in 16 bits and may saturate"],
    size_bytes=412_173,
    packed_bytes=409_364,
    bytes_by_dtype={"float32": 2_096, "int8": 406_528},
    params=407_050,
    layers=Layers(changed=2, total=2),
    macs=784 * 512 + 512 * 10,
    accuracy=Accuracy(correct=9706, total=10_000),
    agreement=agreement(same=9_981, lost=9, gained=8),
    latency={1: latency(52e-6), 64: latency(200e-6)},
    speedup={1: speedup(0.96, 0.01, p_value=2e-6), 64: speedup(3.0, 0.1, p_value=1e-12)},
    peak_memory_bytes=1_105_920,
)
STATIC = Row(
    task="mnist",
    model="lab1",
    technique="static-qint8",
    scheme="S",
    dtype="qint8",
    status="unsupported",
    reason="this torch has no fbgemm engine; try --engine with one of: qnnpack",
)
AMP = Row(
    task="mnist",
    model="lab1",
    technique="amp",
    scheme="AMP",
    dtype="bfloat16",
    status="failed",
    reason="the process died of SIGSEGV",
    notes=["no packed size: its file reloads to other logits"],
    size_bytes=1_630_429,
    params=407_050,
    layers=Layers(changed=0, total=2),
    macs=784 * 512 + 512 * 10,
    accuracy=Accuracy(correct=9650, total=10_000),
    agreement=agreement(same=9_890, lost=80, gained=23),
)
"""It crashed among the rounds: what was measured before stands."""
RUN = Run(
    quantbench="0.1.0",
    created="2026-01-02T03:04:05+00:00",
    finished=True,
    machine=MACHINE,
    settings=SETTINGS,
    data=[DATA],
    trainings=[TRAINING],
    rows=[FP32, FP16, QINT8, STATIC, AMP],
)
LATER = RUN.model_copy(update={"created": "2026-01-02T04:04:05+00:00"})
"""The same figures measured again: a run is not compared with itself."""
