"""What may be asked for of data and trainings."""

from typing import Literal

DataPolicy = Literal["auto", "real", "synthetic"]
"""``auto`` takes real data where they are or can be downloaded, and a synthetic stand-in where not."""

TrainingPrecision = Literal["auto", "float32", "bfloat16"]
"""What recipes train under bfloat16 autocast is trained so on any CPU, on none, or where the CPU computes bfloat16."""

TrainingDevice = Literal["cpu", "cuda"]
"""Where weights are trained, which need not be where they are measured."""

Schedule = Literal["constant", "one-cycle", "cosine", "steps"]
"""How the learning rate changes over a training; ``bench.tasks.training.loop`` has the formulas."""

Optimizer = Literal["adam", "sgd"]
"""What takes the steps."""
