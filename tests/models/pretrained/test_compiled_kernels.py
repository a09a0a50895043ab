"""The kernels that oneDNN compiles for products of ever new numbers of rows, in a process of their own."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from pofx.models.pretrained.inference.linear import can_pack

# 450 kernels of 561 KiB would be 250 MB, and of each thread as many again. 128 of them and eight of each thread are 80 MB.
GROWTH = """
import re, threading, torch
from pofx.models.pretrained.inference.linear import Linear

def resident():
    return int(re.search(r"VmRSS:\\s+(\\d+)", open("/proc/self/status").read())[1]) >> 10

def work(first):
    with torch.inference_mode():
        for rows in range(first, first + 75):
            for layer in layers:
                layer(torch.ones(rows, 48))

torch.set_num_threads(1)
layers = [Linear(torch.ones(out, 48)) for out in (64, 80, 96)]
before = resident()
threads = [threading.Thread(target=work, args=(first,)) for first in (1, 76)]
for t in threads:
    t.start()
for t in threads:
    t.join()
print(resident() - before)
"""


@pytest.mark.thorough
@pytest.mark.skipif(
    sys.platform != "linux" or not can_pack(),
    reason="the products are those of oneDNN, and Linux says the memory",
)
def test_ever_new_numbers_of_rows_keep_few_kernels() -> None:
    limits = ("LRU_CACHE_CAPACITY", "ONEDNN_PRIMITIVE_CACHE_CAPACITY", "DNNL_PRIMITIVE_CACHE_CAPACITY")
    environment = {k: v for k, v in os.environ.items() if k not in limits}

    def grown(**more: str) -> int:
        done = subprocess.run(
            [sys.executable, "-c", GROWTH],
            env={**environment, "MALLOC_ARENA_MAX": "1", **more},
            capture_output=True,
            text=True,
            check=True,
        )
        return int(done.stdout)

    assert grown() < 130
    # The limits of a caller stay, and the measure sees the kernels.
    assert grown(DNNL_PRIMITIVE_CACHE_CAPACITY="1024") > 200
