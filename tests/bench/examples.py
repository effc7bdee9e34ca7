"""Records that tests of results and reports start from."""

from __future__ import annotations

from bench.result import Accuracy, Data, Latency, Layers, Machine, Row, Run, Settings, Speedup, Training

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
    techniques=["fp32", "dynamic-qint8", "static-qint8"],
    batch_sizes=[1, 64],
    runs=5,
    rounds_per_run=1,
    threads=1,
    device="cpu",
    engine="fbgemm",
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


def latency(seconds: float) -> Latency:
    """Five rounds around ``seconds``."""
    rounds = [seconds * factor for factor in (0.98, 0.99, 1.0, 1.01, 1.02)]
    return Latency(runs_s=rounds, rounds_s=rounds, calls_per_block=100, warm_up_s=[seconds], warm=True)


FP32 = Row(
    task="mnist",
    model="lab1",
    technique="fp32",
    scheme="--",
    dtype="float32",
    status="ok",
    size_bytes=1_630_429,
    params=407_050,
    layers=Layers(changed=0, total=2),
    accuracy=Accuracy(correct=9707, total=10_000),
    latency={1: latency(50e-6), 64: latency(600e-6)},
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
    params=407_050,
    layers=Layers(changed=2, total=2),
    accuracy=Accuracy(correct=9706, total=10_000),
    latency={1: latency(52e-6), 64: latency(200e-6)},
    speedup={
        1: Speedup(value=0.96, low=0.95, high=0.98, confidence=0.96),
        64: Speedup(value=3.0, low=2.9, high=3.1, confidence=0.96),
    },
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
RUN = Run(
    quantbench="0.1.0",
    created="2026-01-02T03:04:05+00:00",
    finished=True,
    machine=MACHINE,
    settings=SETTINGS,
    data=[DATA],
    trainings=[TRAINING],
    rows=[FP32, QINT8, STATIC],
)
