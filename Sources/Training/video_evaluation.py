"""Does the video show what was asked for, and does it move as asked?

    python -m Training.video_evaluation                    # the last checkpoint, 264 videos
    python -m Training.video_evaluation --quick            # 22 videos, 25 steps

Every motion is asked for equally often, every subject as often as another or once more. The thing is right if, among all
subjects of videos, the one nearest to the place of the frame where it should be seen best, in the features of
EfficientNet-Lite0, is the one asked for. The motion is right if the tracker below names it: from how centre, area and
strength of what stands out from the background change, and, where they do not, from how each frame has to be turned to look
like the next. The report says how often both are right for clips that were drawn, not generated.
"""

import argparse
import json
import random
import time
import warnings
from pathlib import Path

import numpy as np
import torch
from diffusers import HunyuanVideoPipeline
from PIL import Image

from .data import BACKGROUNDS, Data
from .judge import Judge
from .pipelines import FAMILIES, make_pipeline
from .video_data import FRAMES, MOTIONS, Clip, paint

# The frame in which a thing is seen best: upright, large and opaque.
BEST_FRAME = {motion: FRAMES - 1 if motion in ("growing", "appearing") else 0 for motion in MOTIONS}
THING = 32  # pixels of a side in which things are compared, the size of the smaller ones
SHOWN, GAP = 32, 8  # videos in the grid, pixels between its columns
STANDS_OUT = 0.12  # distance of a colour from that of the background, in units of the range


def requests(data: Data, count: int) -> list[Clip]:
    """Clips to ask for, subjects and motions in turn; always the same for a count."""
    rng = random.Random(7)
    motions = list(MOTIONS)
    subjects = rng.sample(data.video_subjects, len(data.video_subjects))
    return [
        Clip(subjects[place % len(subjects)], rng.choice(list(BACKGROUNDS)), motions[place % len(motions)])
        for place in range(count)
    ]


def prompt(data: Data, clip: Clip) -> str:
    return f"a {data.name(clip.emoji)} {MOTIONS[clip.motion].words[0]} on a {clip.background} background"


def tracked_motion(frames: np.ndarray, background: tuple[int, int, int]) -> str:
    """The motion that frames [FRAMES, side, side, 3] in [0, 1] show."""
    away = np.linalg.norm(frames - np.array(background) / 255, axis=-1)
    weight = np.where(away > STANDS_OUT, away, 0)
    total = weight.sum((1, 2))
    area = (away > STANDS_OUT).mean((1, 2))
    if total[0] < 0.5 * total[-1] and area[-1] > 0 and area[FRAMES // 2] > 0.6 * area[-1]:
        return "appearing"
    if total[-1] < 0.5 * total[0] and area[0] > 0 and area[FRAMES // 2] > 0.6 * area[0]:
        return "vanishing"
    if area[-1] > 2 * area[0]:
        return "growing"
    if area[0] > 2 * area[-1]:
        return "shrinking"
    side = np.arange(frames.shape[1]) / frames.shape[1] * 2 - 1
    mass = np.maximum(total, 1e-6)
    x, y = (weight.sum(1) * side).sum(1) / mass, (weight.sum(2) * side).sum(1) / mass
    dx, dy = x[-1] - x[0], y[-1] - y[0]
    if max(abs(dx), abs(dy)) > 0.4:
        return ("right" if dx > 0 else "left") if abs(dx) > abs(dy) else ("down" if dy > 0 else "up")
    if np.ptp(y) > 0.4:
        return "bouncing"
    return _turn(away)


def _turn(away: np.ndarray) -> str:
    """Which way each frame has to be turned to look like the next, by most votes of squared distance."""
    gain = 0.0
    for first, second in zip(away[:-1], away[1:]):
        picture = Image.fromarray((first * 255).clip(0, 255).astype(np.uint8))
        apart = [
            np.square(np.asarray(picture.rotate(angle, Image.Resampling.BILINEAR)) / 255.0 - second).mean()
            for angle in (-15, 15)  # Pillow turns counterclockwise
        ]
        gain += apart[1] - apart[0]
    return "clockwise" if gain > 0 else "counterclockwise"


def render(pipeline: HunyuanVideoPipeline, data: Data, clips: list[Clip], steps: int, guidance: float) -> np.ndarray:
    """One video each, [N, FRAMES, side, side, 3] in [0, 1]; the n-th has seed n."""
    settings = FAMILIES["video"].settings | {"num_inference_steps": steps, "true_cfg_scale": guidance}
    videos = []
    for start in range(0, len(clips), 8):
        part = clips[start : start + 8]
        seeds = [torch.Generator().manual_seed(start + place) for place in range(len(part))]
        options = settings | {"negative_prompt": [""] * len(part), "generator": seeds, "output_type": "np"}
        videos.append(pipeline(prompt=[prompt(data, clip) for clip in part], **options).frames)
        print(f"{start + len(part)} of {len(clips)} videos", flush=True)
    return np.concatenate(videos)


def things(clips: list[Clip], videos: np.ndarray) -> np.ndarray:
    """What stands where the thing should be seen best, [N, THING, THING, 3] in [0, 1]."""
    cut = []
    for clip, video in zip(clips, videos):
        frame = BEST_FRAME[clip.motion]
        pose, side = clip.pose(frame), video.shape[1]
        x, y, half = side / 2 * (1 + pose.x), side / 2 * (1 + pose.y), side / 2 * pose.scale
        picture = Image.fromarray((video[frame] * 255).round().clip(0, 255).astype(np.uint8))
        box = (x - half, y - half, x + half, y + half)
        cut.append(np.asarray(picture.resize((THING, THING), Image.Resampling.BOX, box)) / 255)
    return np.stack(cut)


def evaluate(
    pipeline: HunyuanVideoPipeline, data: Data, count: int, steps: int, guidance: float
) -> tuple[dict, Image.Image]:
    """The results, and a sheet of the first videos, a row each."""
    clips = requests(data, count)
    began = time.monotonic()
    videos = render(pipeline, data, clips, steps, guidance)
    seconds = time.monotonic() - began
    drawn = np.stack([paint(data, clip) for clip in clips]) / 255
    judge = Judge(data, data.video_subjects)
    emoji, backgrounds = [clip.emoji for clip in clips], [clip.background for clip in clips]
    ranks, drawn_ranks = (
        np.array(judge.ranks(things(clips, shown), emoji, backgrounds, THING)) for shown in (videos, drawn)
    )
    named, drawn_named = (
        [tracked_motion(video, BACKGROUNDS[clip.background]) for clip, video in zip(clips, shown)]
        for shown in (videos, drawn)
    )
    right = [judge.background(video[0]) == clip.background for clip, video in zip(clips, videos)]
    results = {
        "videos": len(clips),
        "top1": float((ranks < 1).mean()),
        "top5": float((ranks < 5).mean()),
        "median_rank": float(np.median(ranks) + 1),
        "motion": float(np.mean([name == clip.motion for name, clip in zip(named, clips)])),
        "drawn": {
            "top1": float((drawn_ranks < 1).mean()),
            "motion": float(np.mean([name == clip.motion for name, clip in zip(drawn_named, clips)])),
        },
        "background": float(np.mean(right)),
        "subjects": len(data.video_subjects),
        "seconds": seconds,
        "each": {prompt(data, clip): [int(rank) + 1, name] for clip, rank, name in zip(clips, ranks, named)},
    }
    return results, Image.fromarray((_grid(videos[:SHOWN]) * 255).round().astype(np.uint8))


def _grid(videos: np.ndarray) -> np.ndarray:
    """Every third frame of each video side by side, in two columns of videos, with a gap between them."""
    rows = np.concatenate(list(videos[:, ::3].swapaxes(0, 1)), 2)
    left, right = (np.concatenate(list(column)) for column in np.array_split(rows, 2))
    right = np.pad(right, ((0, len(left) - len(right)), (0, 0), (0, 0)), constant_values=1)
    return np.concatenate([left, np.ones((len(left), GAP, 3), left.dtype), right], 1)


def markdown(results: dict) -> str:
    """The results as a short report."""
    seen = ", ".join(f"{stage} {number:,}" for stage, number in results["samples_seen"].items())
    return "\n".join(
        [
            f"# Evaluation of video, {results['date']}",
            "",
            f"{results['steps']} steps, guidance {results['guidance']:g}; samples seen: {seen}.",
            "",
            f"| videos | top-1 of {results['subjects']} | top-5 | median rank | motion right | background right |",
            "|---|---|---|---|---|---|",
            f"| {results['videos']} | {results['top1']:.1%} | {results['top5']:.1%} | {results['median_rank']:g} "
            f"| {results['motion']:.1%} | {results['background']:.1%} |",
            "",
            f"Of clips that were drawn: top-1 {results['drawn']['top1']:.1%}, motion {results['drawn']['motion']:.1%}.",
            "",
            "![Every third frame of the first videos, as they came](grid.png)",
            "",
        ]
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work-dir", type=Path, default=Path(".training"))
    parser.add_argument("--model", type=Path, help="a diffusers folder, in the place of the last checkpoint")
    parser.add_argument("--output", type=Path, help="folder for results (default: evaluation-video in the work directory)")
    parser.add_argument("--videos", type=int, default=264)
    parser.add_argument("--steps", type=int, default=50)
    parser.add_argument("--guidance", type=float, default=FAMILIES["video"].settings["true_cfg_scale"])
    parser.add_argument("--quick", action="store_true", help="22 videos, 25 steps")
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    if arguments.quick:
        arguments.videos, arguments.steps = 22, 25
    torch.set_num_threads(arguments.threads)
    if arguments.model:
        pipeline = HunyuanVideoPipeline.from_pretrained(arguments.model, torch_dtype=torch.float32)
        pipeline.set_progress_bar_config(disable=True)
        seen = json.loads((arguments.model / "settings.json").read_text())["samples_seen"]
    else:
        pipeline, seen = make_pipeline("video", arguments.work_dir)
    results, grid = evaluate(
        pipeline, Data(arguments.work_dir), arguments.videos, arguments.steps, arguments.guidance
    )
    results = {
        "date": time.strftime("%Y-%m-%d"),
        "samples_seen": seen,
        "steps": arguments.steps,
        "guidance": arguments.guidance,
        **results,
    }
    output = arguments.output or arguments.work_dir / "evaluation-video"
    output.mkdir(parents=True, exist_ok=True)
    (output / "evaluation.json").write_text(json.dumps(results, indent=1, ensure_ascii=False) + "\n")
    (output / "evaluation.md").write_text(markdown(results))
    grid.save(output / "grid.png")
    print(markdown(results))


if __name__ == "__main__":
    warnings.filterwarnings("ignore")
    main()
