"""Trains the model of classes, stage after stage, and exports it. Stopped at any moment, it goes on from there.

    python -m Training.train_dit --work-dir .training

Budgets count samples; a larger one given later extends a stage that was done.
"""

import argparse
import warnings
from pathlib import Path

import torch

from . import autoencoder
from .data import Data
from .dit import DiTTrainer
from .export import export
from .files import Log
from .trainer import Stage


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work-dir", type=Path, default=Path(".training"))
    parser.add_argument("--threads", type=int, default=2)
    for stage, samples in {"autoencoder": 64_000, "dit-64": 115_000, "dit-128": 82_000}.items():
        parser.add_argument(f"--{stage}-samples", type=int, default=samples, metavar="N", help=f"default {samples}")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    work_dir: Path = arguments.work_dir
    log = Log(work_dir / "log.jsonl")
    data = Data(work_dir)

    autoencoder.train(data, work_dir, arguments.autoencoder_samples, log)
    trainer = DiTTrainer(work_dir, data, log)

    # Large forms are learned at 64 pixels, where a sample costs a quarter, and on white, where they are learned soonest.
    def dit(name: str, size: int, samples: int, **options) -> None:
        trainer.train(Stage(name=name, size=size, samples=samples, **options), log)

    dit("dit-64", 64, arguments.dit_64_samples, batch=64)
    dit("dit-128", 128, arguments.dit_128_samples, decay_from=0.5, average_decay=0.99)
    export("dit", work_dir, work_dir / "export" / "dit")


if __name__ == "__main__":
    warnings.filterwarnings("ignore")
    main()
