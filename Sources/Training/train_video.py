"""Trains the model of videos, stage after stage, and exports it. Stopped at any moment, it goes on from there.

    python -m Training.train_video --work-dir .training

Budgets count samples; a larger one given later extends a stage that was done.
"""

import argparse
import warnings
from pathlib import Path

import torch

from . import video_autoencoder, video_encoders
from .data import Data
from .export import export
from .files import Log
from .video import VideoStage, VideoTrainer
from .video_data import SIDE


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work-dir", type=Path, default=Path(".training"))
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--clips", type=int, default=5120, help="clips in the bank of latents (default: 5120)")
    for stage, samples in {
        "stills": 20_000,
        "video-autoencoder": 44_000,
        "video-text": 40_000,
        "first-frames": 291_968,
        "video": 238_016,
    }.items():
        parser.add_argument(f"--{stage}-samples", type=int, default=samples, metavar="N", help=f"default {samples}")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    work_dir: Path = arguments.work_dir
    log = Log(work_dir / "log.jsonl")
    data = Data(work_dir)

    video_autoencoder.train(data, work_dir, arguments.stills_samples, arguments.video_autoencoder_samples, log)
    video_encoders.train_tokenizers(data, work_dir)
    video_encoders.pretrain(data, work_dir, arguments.video_text_samples, log)
    trainer = VideoTrainer(work_dir, data, log)

    # What things look like is learned from first frames, where a sample costs a quarter; how they move, from whole clips.
    def video(name: str, samples: int, **options) -> None:
        trainer.train(VideoStage(name=name, size=SIDE, samples=samples, clips=arguments.clips, **options), log)

    video("first-frames", arguments.first_frames_samples, first_only=True, batch=64)
    video("video", arguments.video_samples, first_only=False, decay_from=0.5)
    export("video", work_dir, work_dir / "export" / "video")


if __name__ == "__main__":
    warnings.filterwarnings("ignore")
    main()
