"""Writes the files of this folder with torch (2.13.0+cpu): python make.py"""

import os
from collections import OrderedDict

import torch

FOLDER = os.path.dirname(os.path.abspath(__file__))


class Hostile:
    """Would run a command if it were unpickled."""

    def __reduce__(self):
        return (os.system, ("touch /tmp/clusca-was-run",))


def save(value, name, **options):
    torch.save(value, os.path.join(FOLDER, name), **options)


torch.manual_seed(3)
linear = torch.nn.Linear(3, 2)
base = torch.arange(24.0).reshape(2, 3, 4)
checkpoint = {
    "model": OrderedDict(
        a=base, view=base[:, 1:, :2], transposed=torch.nn.Parameter(base.permute(2, 0, 1)), tied=base,
        scalar=torch.tensor(7.5), empty=torch.zeros(0, 4),
    ),
    "ema": {
        "half": torch.tensor([1.5, -2]).half(), "bf16": torch.tensor([0.1, 3.0]).bfloat16(),
        "double": torch.tensor([[1 / 3]], dtype=torch.float64), "long": torch.tensor([1, -(2**40)]),
        "int": torch.tensor([5], dtype=torch.int32), "short": torch.tensor([-7], dtype=torch.int16),
        "char": torch.tensor([-1], dtype=torch.int8), "byte": torch.tensor([255], dtype=torch.uint8),
        "bool": torch.tensor([True, False]),
    },
    "opt": {
        "state": {0: {"step": 3, "exp_avg": torch.ones(2)}, 300: {"exp_avg": torch.zeros(1)}},
        "groups": [{"lr": 1e-4, "betas": (0.9, 0.999), "params": [0, 1, 70000, -5, 2**40]}],
    },
    "epoch": 12, "name": "täst", "none": None, "done": True,
}
save(linear.state_dict(), "linear.pt")
save(checkpoint, "checkpoint.pt")
save(checkpoint, "protocol4.pt", pickle_protocol=4)
save(linear.state_dict(), "old-format.pt", _use_new_zipfile_serialization=False)
save({"a": torch.ones(1), "b": Hostile()}, "hostile.pt")
save(linear, "module.pt")
