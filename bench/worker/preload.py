"""What the server of workers imports once, before it forks them."""

from __future__ import annotations

import gc
import os

import torch
from torch import nn
from torch.ao.quantization import get_default_qconfig_mapping
from torch.ao.quantization.quantize_fx import prepare_fx

import bench.worker.call_host
import bench.worker.preparation_host
import bench.worker.reference_host
import bench.worker.selfcheck_host
import bench.worker.user_host
import bench.worker.variant_host  # noqa: F401
from bench.runtimes.base import RUNTIMES
from bench.tasks.task import TASKS
from bench.techniques.base import TECHNIQUES
from bench.techniques.torch_quantization import quiet

list(TASKS), list(TECHNIQUES), list(RUNTIMES)  # imports their modules

with quiet():
    # prepare_fx imports 1,300 modules when it is first called; it traces and runs no kernel, so that no
    # thread pool stands in the way of a fork.
    prepare_fx(nn.Sequential(nn.Linear(1, 1)).eval(), get_default_qconfig_mapping(), (None,))

if os.environ.get("ONEDNN_MAX_CPU_ISA", "").upper() == "AVX2":
    torch.cpu._is_vnni_supported = lambda: False  # it asks the CPU, and default ranges depend on it

gc.freeze()  # what is imported stays: workers need not look through it for garbage
