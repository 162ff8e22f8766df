"""Trains the text-to-image model, stage after stage, and exports it. Stopped at any moment, it goes on from there.

    python -m Training.train_flux --work-dir .training

Budgets count samples; a larger one given later extends a stage that was done.
"""

import argparse
import warnings
from pathlib import Path

import torch

from . import autoencoder, text_encoders
from .data import Data
from .export import export
from .files import Log
from .flux import FluxStage, FluxTrainer

NOISE_64, NOISE_128 = (0.6, 1.2), (1.0, 1.2)  # more picture elements need more noise to hide the same forms


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work-dir", type=Path, default=Path(".training"))
    parser.add_argument("--threads", type=int, default=2)
    for stage, samples in {
        "autoencoder": 64_000,
        "text": 90_000,
        "first-64": 60_000,
        "first-128": 6_400,
        "flux-64": 115_000,
        "flux-128": 82_000,
        "decoder": 130_000,
    }.items():
        parser.add_argument(f"--{stage}-samples", type=int, default=samples, metavar="N", help=f"default {samples}")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    work_dir: Path = arguments.work_dir
    log = Log(work_dir / "log.jsonl")
    data = Data(work_dir)

    autoencoder.train(data, work_dir, arguments.autoencoder_samples, log)
    text_encoders.train_tokenizers(data, work_dir)
    text_encoders.pretrain(data, work_dir, arguments.text_samples, log)

    # Large forms are learned at 64 pixels, where a sample costs a quarter. A short stretch at 128 pixels gives a
    # first model early; the long one gives the model that is released.
    trainer = FluxTrainer(work_dir, data, log)

    def flux(name: str, size: int, samples: int, **options) -> None:
        noise = NOISE_64 if size == 64 else NOISE_128
        trainer.train(FluxStage(name=name, size=size, samples=samples, noise=noise, **options), log)

    flux("first-64", 64, arguments.first_64_samples, compositions_after=1.0, compiled=False)
    flux("first-128", 128, arguments.first_128_samples, compositions_after=1.0, compiled=False)
    if not (work_dir / "export" / "flux").exists():
        export("flux", work_dir, work_dir / "export" / "flux")
    flux("flux-64", 64, arguments.flux_64_samples, compositions_after=0.8, batch=64)
    flux("flux-128", 128, arguments.flux_128_samples, compositions_after=0.0, decay_from=0.5)
    autoencoder.refine_decoder(data, work_dir, arguments.decoder_samples, log)
    export("flux", work_dir, work_dir / "export" / "flux")


if __name__ == "__main__":
    warnings.filterwarnings("ignore")
    main()
