"""Memory that a training frees is there for its next step."""

import platform
import subprocess
import sys

import pytest

STEPS = """
import ctypes, resource
from bench.tasks.training.kept_memory import keep_freed_memory
libc = ctypes.CDLL(None)
libc.malloc.restype, libc.malloc.argtypes, libc.free.argtypes = ctypes.c_void_p, [ctypes.c_size_t], [ctypes.c_void_p]

def step():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    blocks = [libc.malloc(size) for size in [20 << 20] * 4 + [80 << 20]]
    for block, size in zip(blocks, [20 << 20] * 4 + [80 << 20]):
        ctypes.memset(block, 1, size)
    for block in blocks:
        libc.free(block)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

for _ in range(3):
    default = step()
keep_freed_memory()
for _ in range(3):
    kept = step()
print(default, kept)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="mallopt is glibc's")
def test_a_step_takes_no_new_pages_for_what_the_step_before_it_freed() -> None:
    done = subprocess.run([sys.executable, "-c", STEPS], capture_output=True, text=True, check=True)
    default, kept = map(int, done.stdout.split())
    assert kept < default / 10
