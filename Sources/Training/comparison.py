"""Does clusca make the pictures that diffusers makes of an exported model?

    python -m Training.comparison --family dit --model Sources/DefaultModels/dit --clusca .build/release/clusca

Both work in float32 without a cache, from the same seeds. Says how far the levels (0 to 255) lie apart at most, and how
many differ at all.
"""

import argparse
import subprocess
import tempfile
import warnings
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from .pipelines import FAMILIES

SUBJECTS = ("pizza", "panda", "rocket")


def with_diffusers(family: str, folder: Path, steps: int) -> list[np.ndarray]:
    """One picture a subject, [height, width, 3], uint8, frames below one another; the n-th has seed n."""
    kind = FAMILIES[family]
    pipeline = kind.pipeline.from_pretrained(folder, torch_dtype=torch.float32)
    pipeline.set_progress_bar_config(disable=True)
    options = kind.settings | {"num_inference_steps": steps}
    pictures = []
    for seed, subject in enumerate(SUBJECTS):
        if family == "dit":
            asked = {"class_labels": pipeline.get_label_ids([subject])}
        else:
            asked = {"prompt": subject}
        generator = torch.Generator().manual_seed(seed)
        made = pipeline(**asked, **options, generator=generator, output_type="np")
        frames = made.frames[0] if family == "video" else made.images
        pictures.append((np.concatenate(frames) * 255).round().astype(np.uint8))
    return pictures


def with_clusca(family: str, folder: Path, steps: int, program: Path) -> list[np.ndarray]:
    """The same pictures made by clusca."""
    pictures = []
    with tempfile.TemporaryDirectory() as place:
        for seed, subject in enumerate(SUBJECTS):
            path = Path(place) / (f"{seed}-%04d.png" if family == "video" else f"{seed}.png")
            subprocess.run(
                [program, "generate", "--model", folder, "--class-label" if family == "dit" else "--prompt", subject]
                + ["--seed", str(seed), "--steps", str(steps), "--cache", "none", "--quiet", "--output", path],
                check=True,
                stdout=subprocess.DEVNULL,
            )
            files = sorted(Path(place).glob(f"{seed}*.png"))
            pictures.append(np.concatenate([np.asarray(Image.open(file).convert("RGB")) for file in files]))
    return pictures


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--family", choices=FAMILIES, required=True)
    parser.add_argument("--model", type=Path, required=True, help="an exported model")
    parser.add_argument("--clusca", type=Path, default=Path(".build/release/clusca"), help="the program")
    parser.add_argument("--steps", type=int, default=50)
    arguments = parser.parse_args()
    ours = with_clusca(arguments.family, arguments.model, arguments.steps, arguments.clusca)
    theirs = with_diffusers(arguments.family, arguments.model, arguments.steps)
    worst = 0
    for subject, one, other in zip(SUBJECTS, ours, theirs):
        apart = np.abs(one.astype(int) - other.astype(int))
        worst = max(worst, apart.max())
        print(f"{subject}: at most {apart.max()} levels apart, {np.mean(apart > 0):.4%} of the levels differ")
    if worst > 1:
        raise SystemExit("The pictures differ by more than a level.")


if __name__ == "__main__":
    warnings.filterwarnings("ignore")
    main()
