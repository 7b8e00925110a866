"""
One of several processes that train together: torchrun starts them.

    torchrun --standalone --nproc_per_node 2 --module tests.train_together WEIGHTS HOME OUT

Each writes the sum of its weights, so that a test can see that they stay alike.
"""

import sys
from pathlib import Path

import torch

from tests.train_squares import training

if __name__ == "__main__":
    torch.set_num_threads(1)
    weights, home, out = map(Path, sys.argv[1:])
    mine = training(weights, home)
    mine.fit()
    total = sum(p.double().sum().item() for p in mine.run.model.parameters())
    index = mine.run.accelerator.process_index
    (out / f"{index}.txt").write_text(f"{mine.run.accelerator.num_processes} {total!r}")
