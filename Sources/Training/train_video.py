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
    parser.add_argument("--clips", type=int, default=6000, help="clips in the bank of latents (default: 6000)")
    for stage, samples in {"video-autoencoder": 60_000, "video-text": 60_000, "video": 200_000}.items():
        parser.add_argument(f"--{stage}-samples", type=int, default=samples, metavar="N", help=f"default {samples}")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    work_dir: Path = arguments.work_dir
    log = Log(work_dir / "log.jsonl")
    data = Data(work_dir)

    video_autoencoder.train(data, work_dir, arguments.video_autoencoder_samples, log)
    video_encoders.train_tokenizers(data, work_dir)
    video_encoders.pretrain(data, work_dir, arguments.video_text_samples, log)
    stage = VideoStage(
        name="video", size=SIDE, samples=arguments.video_samples, clips=arguments.clips, decay_from=0.7
    )
    VideoTrainer(work_dir, data, log).train(stage, log)
    export("video", work_dir, work_dir / "export" / "video")


if __name__ == "__main__":
    warnings.filterwarnings("ignore")
    main()
