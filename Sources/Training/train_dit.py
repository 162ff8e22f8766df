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
from .dit import DiTStage, DiTTrainer
from .export import export
from .files import Log


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work-dir", type=Path, default=Path(".training"))
    parser.add_argument("--threads", type=int, default=2)
    for stage, samples in {"autoencoder": 64_000, "dit-64": 150_000, "dit-128": 60_000}.items():
        parser.add_argument(f"--{stage}-samples", type=int, default=samples, metavar="N", help=f"default {samples}")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    work_dir: Path = arguments.work_dir
    log = Log(work_dir / "log.jsonl")
    data = Data(work_dir)

    autoencoder.train(data, work_dir, arguments.autoencoder_samples, log)
    trainer = DiTTrainer(work_dir, data, log)
    small = DiTStage(name="dit-64", size=64, samples=arguments.dit_64_samples, variety_after=0.8, batch=64)
    large = DiTStage(name="dit-128", size=128, samples=arguments.dit_128_samples, variety_after=0.0, decay_from=0.5)
    for stage in (small, large):
        trainer.train(stage, log)
    export("dit", work_dir, work_dir / "export" / "dit")


if __name__ == "__main__":
    warnings.filterwarnings("ignore")
    main()
