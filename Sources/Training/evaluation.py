"""Does the picture show what was asked for?

    python -m Training.evaluation                          # FLUX, the last checkpoint, 256 pictures
    python -m Training.evaluation --family dit --quick     # DiT, 64 pictures, 25 steps
    python -m Training.evaluation --model Sources/DefaultModels/flux

A picture is right if, among all subjects on its background, the one nearest to it in the features of
EfficientNet-Lite0 (cosine similarity, mean of the subjects removed) is the one asked for. Its background is right if
the median colour of its border is nearer to the asked colour than to any other named one. Of FLUX half of the prompts
are names alone, half are pairs of name and background that training held out; of DiT, whose pictures have the
background that they have, all are classes.
"""

import argparse
import dataclasses
import json
import random
import time
import warnings
from pathlib import Path

import numpy as np
import torch
from diffusers import DiffusionPipeline, DiTPipeline, FluxPipeline
from PIL import Image

from . import autoencoder
from .data import SIZE, Data
from .judge import Judge
from .pipelines import FAMILIES, make_pipeline
from .precision import autocast

GRID = 32  # pictures shown: the first ones, as they come
AT_ONCE = 16


@dataclasses.dataclass(frozen=True)
class Asked:
    """A picture that is asked for, and what it shall show; no background means any."""

    text: str
    emoji: int
    background: str | None


def requests(family: str, data: Data, count: int) -> dict[str, list[Asked]]:
    """Groups of requests with their titles; always the same for a count."""
    rng = random.Random(7)
    if family == "dit":
        chosen = rng.sample(data.subjects, min(count, len(data.subjects)))
        return {"classes": [Asked(data.name(emoji), emoji, None) for emoji in chosen]}
    alone = rng.sample(data.subjects, min(count // 2, len(data.subjects)))
    pairs = rng.sample(data.held_out_pairs(), count - len(alone))
    return {
        "names alone": [Asked(data.name(emoji), emoji, "white") for emoji in alone],
        "unseen name and background": [
            Asked(f"{data.name(emoji)} on a {background} background", emoji, background) for emoji, background in pairs
        ],
    }


def _flux_pictures(
    pipeline: FluxPipeline, data: Data, part: list[Asked], size: int, guidance: float, **options
) -> np.ndarray:
    return pipeline(
        prompt=[asked.text for asked in part],
        true_cfg_scale=guidance,
        height=size,
        width=size,
        negative_prompt=[""] * len(part),
        max_sequence_length=FAMILIES["flux"].settings["max_sequence_length"],
        **options,
    ).images


def _dit_pictures(
    pipeline: DiTPipeline, data: Data, part: list[Asked], size: int, guidance: float, **options
) -> np.ndarray:
    labels = [data.subjects.index(asked.emoji) for asked in part]
    return pipeline(class_labels=labels, guidance_scale=guidance, **options).images


def render(
    family: str, pipeline: DiffusionPipeline, data: Data, asked: list[Asked], steps: int, guidance: float, size: int
) -> np.ndarray:
    """One picture each, [N, size, size, 3] in [0, 1]; the n-th has seed n. Products are in bfloat16 where training has
    them."""
    call = {"flux": _flux_pictures, "dit": _dit_pictures}[family]
    pictures = []
    for start in range(0, len(asked), AT_ONCE):
        part = asked[start : start + AT_ONCE]
        seeds = [torch.Generator().manual_seed(start + place) for place in range(len(part))]
        with autocast():
            pictures.append(
                call(pipeline, data, part, size, guidance, num_inference_steps=steps, generator=seeds, output_type="np")
            )
        print(f"{start + len(part)} of {len(asked)} pictures", flush=True)
    return np.concatenate(pictures)


def evaluate(
    family: str, pipeline: DiffusionPipeline, data: Data, count: int, steps: int, guidance: float, size: int
) -> tuple[dict, Image.Image]:
    """The results, and a grid of the first pictures of each group."""
    groups = requests(family, data, count)
    asked = [each for group in groups.values() for each in group]
    began = time.monotonic()
    pictures = render(family, pipeline, data, asked, steps, guidance, size)
    seconds = time.monotonic() - began
    judge = Judge(data, data.subjects)
    seen = [judge.background(picture) for picture in pictures]
    backgrounds = [each.background or colour for each, colour in zip(asked, seen)]
    ranks = judge.ranks(pictures, [each.emoji for each in asked], backgrounds)

    def summary(part: slice) -> dict:
        own = np.array(ranks[part])
        right = [each.background in (None, colour) for each, colour in zip(asked[part], seen[part])]
        return {
            "pictures": len(own),
            "top1": float((own < 1).mean()),
            "top5": float((own < 5).mean()),
            "median_rank": float(np.median(own) + 1),
            "background": float(np.mean(right)),
        }

    parts, shown, start = {}, [], 0
    for title, group in groups.items():
        parts[title] = summary(slice(start, start + len(group)))
        shown += range(start, start + min(len(group), GRID // len(groups)))
        start += len(group)
    results = {
        "groups": parts if len(parts) == 1 else parts | {"all": summary(slice(None))},
        "subjects": len(data.subjects),
        "autoencoder_psnr": autoencoder.psnr(pipeline.vae.to(memory_format=torch.channels_last), data, data.subjects),
        "seconds": seconds,
        "ranks": {each.text: rank + 1 for each, rank in zip(asked, ranks)},
    }
    return results, _grid([pictures[place] for place in shown], columns=8)


def _grid(pictures: list[np.ndarray], columns: int) -> Image.Image:
    rows = [np.concatenate(pictures[start : start + columns], 1) for start in range(0, len(pictures), columns)]
    return Image.fromarray((np.concatenate(rows) * 255).round().astype(np.uint8))


def markdown(results: dict) -> str:
    """The results as a short report."""
    lines = [
        f"# Evaluation of {results['family']}, {results['date']}",
        "",
        f"{results['size']} px, {results['steps']} steps, guidance {results['guidance']:g}; "
        f"samples seen: {', '.join(f'{stage} {number:,}' for stage, number in results['samples_seen'].items())}; "
        f"autoencoder {results['autoencoder_psnr']:.1f} dB on the subjects.",
        "",
        f"| asked for | number | top-1 of {results['subjects']} | top-5 | median rank | background right |",
        "|---|---|---|---|---|---|",
    ]
    for title, row in results["groups"].items():
        lines.append(
            f"| {title} | {row['pictures']} | {row['top1']:.1%} | {row['top5']:.1%} "
            f"| {row['median_rank']:g} | {row['background']:.1%} |"
        )
    worst = sorted(results["ranks"].items(), key=lambda item: -item[1])[:12]
    lines += ["", "Farthest from what was asked: " + ", ".join(f"{text} ({rank})" for text, rank in worst) + ".", ""]
    lines += ["![The first pictures of each kind, as they came](grid.png)", ""]
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work-dir", type=Path, default=Path(".training"))
    parser.add_argument("--family", choices=["flux", "dit"], default="flux")
    parser.add_argument("--model", type=Path, help="a diffusers folder, in the place of the last checkpoint")
    parser.add_argument("--output", type=Path, help="folder for results (default: evaluation in the work directory)")
    parser.add_argument("--pictures", type=int, default=256)
    parser.add_argument("--steps", type=int, default=50)
    parser.add_argument("--guidance", type=float, help="default: the model's")
    parser.add_argument("--size", type=int, default=SIZE, help="FLUX alone: a DiT has one size")
    parser.add_argument("--quick", action="store_true", help="64 pictures, 25 steps")
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    if arguments.quick:
        arguments.pictures, arguments.steps = 64, 25
    torch.set_num_threads(arguments.threads)
    family = FAMILIES[arguments.family]
    if arguments.model:
        pipeline = family.pipeline.from_pretrained(arguments.model, torch_dtype=torch.float32)
        pipeline.set_progress_bar_config(disable=True)
        seen = json.loads((arguments.model / "settings.json").read_text())["samples_seen"]
    else:
        pipeline, seen = make_pipeline(arguments.family, arguments.work_dir)
    guidance = arguments.guidance or family.settings.get("true_cfg_scale") or family.settings["guidance_scale"]
    data = Data(arguments.work_dir)
    results, grid = evaluate(
        arguments.family, pipeline, data, arguments.pictures, arguments.steps, guidance, arguments.size
    )
    results = {
        "family": arguments.family,
        "date": time.strftime("%Y-%m-%d"),
        "samples_seen": seen,
        "size": arguments.size,
        "steps": arguments.steps,
        "guidance": guidance,
        **results,
    }
    output = arguments.output or arguments.work_dir / f"evaluation-{arguments.family}"
    output.mkdir(parents=True, exist_ok=True)
    (output / "evaluation.json").write_text(json.dumps(results, indent=1, ensure_ascii=False) + "\n")
    (output / "evaluation.md").write_text(markdown(results))
    grid.save(output / "grid.png")
    print(markdown(results))


if __name__ == "__main__":
    warnings.filterwarnings("ignore")
    main()
