"""What a report says of rounds that are not paired, as pytest-benchmark's are not."""

from __future__ import annotations

HOW_TO_READ = (
    "Speed-up: fp32's latency divided by the variant's, each the median of its rounds. pytest-benchmark times one test "
    "after the other, so the rounds are not paired with fp32's and a speed-up has neither interval nor verdict; `bench "
    "run` measures both. The rows of fp32 show its packed size, accuracy and latency."
)
DISTURBANCES = "pytest-benchmark does not record which rounds were disturbed from outside."
