"""Scenes with their latents, computed once for a picture size and kept in memory in half precision."""

import random
from pathlib import Path

import torch

from . import autoencoder
from .data import BACKGROUNDS, Data, Object, Scene
from .files import Log, load_checkpoint, save_checkpoint
from .precision import autocast

COMPOSITIONS = 12_000
PART = 1024  # scenes a file


class Latents:
    """Latents [N, 16, size / 4, size / 4] of single objects, and if wanted of their mirror images and of compositions."""

    def __init__(self, data: Data, work_dir: Path, size: int, log: Log, mirrored: bool = False, compositions: bool = False):
        self.scenes = {"single": _singles(data, mirrored=False)}
        if mirrored:
            self.scenes["mirrored"] = _singles(data, mirrored=True)
        if compositions:
            self.scenes["composition"] = _compositions(data)
        self.white = [number for number, scene in enumerate(self.scenes["single"]) if scene.background == "white"]
        self.tensors = {kind: _encode(data, work_dir, kind, scenes, size, log) for kind, scenes in self.scenes.items()}

    def draw(
        self, rng: random.Random, compositions: float = 0.0, mirrored: float = 0.0, white: float = 0.3
    ) -> tuple[Scene, torch.Tensor]:
        """A scene and its latents; the shares say how often it is a composition or a mirrored single object, and how many
        of the other objects stand on white beyond those that do so by chance."""
        chance = rng.random()
        kind = "composition" if chance < compositions else "mirrored" if chance < compositions + mirrored else "single"
        if kind == "single" and rng.random() < white:
            number = rng.choice(self.white)
        else:
            number = rng.randrange(len(self.scenes[kind]))
        return self.scenes[kind][number], self.tensors[kind][number]


def _singles(data: Data, mirrored: bool) -> list[Scene]:
    return [
        Scene((Object(emoji, mirrored=mirrored),), background)
        for emoji in data.subjects
        if data.emoji[emoji].mirrored or not mirrored
        for background in BACKGROUNDS
        if not data.is_held_out(emoji, background)
    ]


def _compositions(data: Data) -> list[Scene]:
    rng = random.Random(0)
    return [data.random_composition(rng) for _ in range(COMPOSITIONS)]


def _encode(data: Data, work_dir: Path, kind: str, scenes: list[Scene], size: int, log: Log) -> torch.Tensor:
    """The latents of all scenes, scaled and shifted as diffusers' pipelines have them; parts on disk are reused."""
    folder = work_dir / f"latents-{size}"
    folder.mkdir(exist_ok=True)
    model, parts = None, []
    for start in range(0, len(scenes), PART):
        path = folder / f"{kind}-{start:06}.pt"
        part = load_checkpoint(path)
        if part is None:
            model = model or autoencoder.load(work_dir)
            part = {"latents": _encode_part(model, data, scenes[start : start + PART], size)}
            save_checkpoint(path, part)
            log("latents", kind=kind, size=size, scenes=min(start + PART, len(scenes)), of=len(scenes))
        parts.append(part["latents"])
    return torch.cat(parts)


@torch.no_grad()
def _encode_part(model, data: Data, scenes: list[Scene], size: int) -> torch.Tensor:
    shift, scale = model.config.shift_factor, model.config.scaling_factor
    latents = []
    for start in range(0, len(scenes), 16):
        pictures = autoencoder.to_model([data.paint(scene, size) for scene in scenes[start : start + 16]])
        with autocast():
            mean = model.encode(pictures).latent_dist.mean
        latents.append(((mean.float() - shift) * scale).half().contiguous())
    return torch.cat(latents)
