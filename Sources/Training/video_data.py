"""Clips of one moving emoji on a coloured background, and captions that say how it moves."""

import dataclasses
import math
import random
from collections.abc import Callable, Iterable

import numpy as np
from PIL import Image

from .data import BACKGROUNDS, SIZE, Data, Object, with_background

SIDE = 64  # pixels of a side
FRAMES = 13  # four latent frames; beyond 16 diffusers' autoencoder works in stretches
FRAMES_PER_SECOND = 8


@dataclasses.dataclass(frozen=True)
class Pose:
    """Where an emoji stands in a frame: its centre from that of the frame in half sides (right and down), its size in
    sides of the frame, its angle in degrees clockwise, and how opaque it is."""

    x: float = 0.0
    y: float = 0.0
    scale: float = 0.75
    angle: float = 0.0
    alpha: float = 1.0


@dataclasses.dataclass(frozen=True)
class Motion:
    words: tuple[str, ...]
    pose: Callable[[float], Pose]  # at a time from 0 to 1


def _between(first: float, last: float) -> Callable[[float], float]:
    return lambda time: first + (last - first) * time


_ACROSS, _SIZES = _between(-0.35, 0.35), _between(0.35, 0.9)
_TURN = 90.0

MOTIONS = {
    "left": Motion(("moving left", "sliding left", "moving to the left"), lambda t: Pose(x=-_ACROSS(t), scale=0.6)),
    "right": Motion(("moving right", "sliding right", "moving to the right"), lambda t: Pose(x=_ACROSS(t), scale=0.6)),
    "up": Motion(("moving up", "rising", "sliding up"), lambda t: Pose(y=-_ACROSS(t), scale=0.6)),
    "down": Motion(("moving down", "falling", "sliding down"), lambda t: Pose(y=_ACROSS(t), scale=0.6)),
    "clockwise": Motion(("turning clockwise", "spinning clockwise", "turning right"), lambda t: Pose(angle=_TURN * t)),
    "counterclockwise": Motion(
        ("turning counterclockwise", "spinning counterclockwise", "turning left"), lambda t: Pose(angle=-_TURN * t)
    ),
    "bouncing": Motion(
        ("bouncing", "jumping up and down"), lambda t: Pose(y=0.35 - 0.7 * math.sin(math.pi * t), scale=0.6)
    ),
    "growing": Motion(("growing", "getting larger"), lambda t: Pose(scale=_SIZES(t))),
    "shrinking": Motion(("shrinking", "getting smaller"), lambda t: Pose(scale=_SIZES(1 - t))),
    "appearing": Motion(("fading in", "appearing"), lambda t: Pose(alpha=t)),
    "vanishing": Motion(("fading out", "vanishing"), lambda t: Pose(alpha=1 - t)),
}


@dataclasses.dataclass(frozen=True)
class Clip:
    """What a clip shows; the emoji by its index among all."""

    emoji: int
    background: str
    motion: str

    def pose(self, frame: int) -> Pose:
        return MOTIONS[self.motion].pose(frame / (FRAMES - 1))


def random_clip(data: Data, rng: random.Random, emoji: list[int] | None = None) -> Clip:
    """A clip of one of these emoji (the subjects unless given) on a background that is not held out with it."""
    while True:
        chosen = rng.choice(emoji or data.subjects)
        background = "white" if rng.random() < 0.35 else rng.choice(list(BACKGROUNDS))
        if not data.is_held_out(chosen, background):
            return Clip(chosen, background, rng.choice(list(MOTIONS)))


def caption(data: Data, clip: Clip, rng: random.Random) -> str:
    """Words for a clip, different ones each time."""
    text = f"{data.phrase(Object(clip.emoji), rng, plain=True)} {rng.choice(MOTIONS[clip.motion].words)}"
    return with_background(text, clip.background, rng)


def paint(data: Data, clip: Clip, frames: Iterable[int] = range(FRAMES)) -> np.ndarray:
    """Frames of a clip, all unless said, [frames, SIDE, SIDE, 3], uint8."""
    picture = Image.fromarray(data.pictures[clip.emoji], "RGBA").convert("RGBa")
    return np.stack([_frame(picture, clip.background, clip.pose(frame)) for frame in frames])


def _frame(picture: Image.Image, background: str, pose: Pose) -> np.ndarray:
    """A frame, drawn at twice its size and halved."""
    # From a pixel of the canvas back to one of the picture: around the emoji's centre, turned back and enlarged.
    turn = math.radians(pose.angle)
    cosine, sine = math.cos(turn) / pose.scale, math.sin(turn) / pose.scale
    middle = SIZE / 2
    x, y = middle * (1 + pose.x), middle * (1 + pose.y)
    matrix = (cosine, sine, middle - cosine * x - sine * y, -sine, cosine, middle + sine * x - cosine * y)
    layer = np.asarray(picture.transform((SIZE, SIZE), Image.Transform.AFFINE, matrix, Image.Resampling.BICUBIC))
    above = layer.astype(np.float32) * pose.alpha
    frame = above[..., :3] + np.array(BACKGROUNDS[background], np.float32) * (1 - above[..., 3:] / 255)
    halved = frame.reshape(SIDE, SIZE // SIDE, SIDE, SIZE // SIDE, 3).mean((1, 3))
    return halved.round().clip(0, 255).astype(np.uint8)
