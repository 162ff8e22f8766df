"""The autoencoder that all picture models share: diffusers' AutoencoderKL, factor 4, 16 latent channels.

Trained on crops of 64 x 64 pixels of all emoji at several sizes on coloured backgrounds. Two departures from
the usual recipe keep it small and its latents easy to learn:

* The posterior's standard deviation is fixed (`POSTERIOR_STD`, relative to latents of about unit size), so that
  the KL term is a penalty on the mean alone.
* A quarter of the batches decode latents that were scaled down by two and compare with the picture scaled down
  by two (EQ-VAE, arXiv 2502.09509): the latents of small and large things then look alike.

Once the encoder is trained it stays as it is; the decoder can be trained further (`refine_decoder`) while a
transformer learns the latents.
"""

import math
import random
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from diffusers import AutoencoderKL
from PIL import Image

from .data import BACKGROUNDS, SIZE, Data, Scene, Object
from .files import Log, Timer, load_checkpoint, save_checkpoint, save_folder
from .precision import autocast

LATENT_CHANNELS = 16
FACTOR = 4
POSTERIOR_STD = 0.1
KL_WEIGHT = 1e-3
CROP = 64
BATCH = 16
LEARNING_RATE = 2e-3
CHECKPOINT_SECONDS = 150
CHANNELS = (24, 48, 96)


def make_autoencoder() -> AutoencoderKL:
    model = AutoencoderKL(
        down_block_types=("DownEncoderBlock2D",) * len(CHANNELS),
        up_block_types=("UpDecoderBlock2D",) * len(CHANNELS),
        block_out_channels=CHANNELS,
        layers_per_block=1,
        latent_channels=LATENT_CHANNELS,
        norm_num_groups=8,
        use_quant_conv=False,
        use_post_quant_conv=False,
        sample_size=SIZE,
        scaling_factor=1.0,
        shift_factor=0.0,
    )
    with torch.no_grad():  # the second half of the encoder's output: the fixed log variance
        model.encoder.conv_out.weight[LATENT_CHANNELS:] = 0
        model.encoder.conv_out.bias[LATENT_CHANNELS:] = 2 * math.log(POSTERIOR_STD)
    return model.to(memory_format=torch.channels_last)


def to_model(pictures: list[np.ndarray]) -> torch.Tensor:
    """uint8 pictures [H, W, 3] as one tensor [N, 3, H, W] in [-1, 1]."""
    batch = torch.from_numpy(np.stack(pictures)).permute(0, 3, 1, 2)
    return (batch.float() / 127.5 - 1).contiguous(memory_format=torch.channels_last)


class Crops:
    """Endless crops of emoji; every 20th emoji that is not a subject is left out, to measure with."""

    def __init__(self, data: Data):
        self.data = data
        rest = [index for index in range(len(data.emoji)) if index not in set(data.subjects)]
        self.held_out = rest[::20]
        self.used = sorted(set(range(len(data.emoji))) - set(self.held_out))

    def batch(self, rng: random.Random) -> torch.Tensor:
        return to_model([self._crop(rng) for _ in range(BATCH)])

    def _crop(self, rng: random.Random) -> np.ndarray:
        picture = Image.fromarray(self.data.pictures[rng.choice(self.used)], "RGBA").convert("RGBa")
        side = rng.choice([SIZE, SIZE, SIZE // 2, rng.randint(38, SIZE)])
        if side == SIZE // 2:
            picture = picture.reduce(2)
        elif side < SIZE:
            picture = picture.resize((side, side), Image.Resampling.LANCZOS)
        if rng.random() < 0.5:
            picture = picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        kind = rng.random()
        if kind < 0.75:
            colour = BACKGROUNDS["white" if kind < 0.25 else rng.choice(list(BACKGROUNDS))]
        else:
            colour = tuple(rng.randrange(256) for _ in range(3))
        room = CROP - side
        corner = [-rng.randint(min(0, room), max(0, room)) for _ in range(2)]
        window = np.asarray(picture.crop((corner[0], corner[1], corner[0] + CROP, corner[1] + CROP))).astype(np.float32)
        crop = window[..., :3] + np.asarray(colour, np.float32) * (1 - window[..., 3:] / 255)
        return crop.round().clip(0, 255).astype(np.uint8)


def psnr(model: AutoencoderKL, data: Data, emoji: list[int]) -> float:
    """Peak signal-to-noise ratio in dB of emoji at full size, on white and on coloured backgrounds."""
    colours = list(BACKGROUNDS)
    scenes = [Scene((Object(index),), colours[place % len(colours)]) for place, index in enumerate(emoji)]
    error = []
    for start in range(0, len(scenes), 8):
        pictures = to_model([data.paint(scene) for scene in scenes[start : start + 8]])
        with torch.no_grad(), autocast():
            decoded = model.decode(model.encode(pictures).latent_dist.mean).sample
        error.append((decoded.float().clamp(-1, 1) - pictures).square().mean((1, 2, 3)))
    return 10 * math.log10(4 / torch.cat(error).mean().item())


def _loss(model: AutoencoderKL, crops: torch.Tensor, encoder_learns: bool, halved: bool) -> tuple[torch.Tensor, float, float]:
    """The loss, the mean squared error and the size of the latents."""
    with autocast():
        with torch.set_grad_enabled(encoder_learns):
            mean = model.encode(crops).latent_dist.mean.float()
        latents = mean + POSTERIOR_STD * torch.randn_like(mean)
        if halved:
            latents, crops = F.avg_pool2d(latents, 2), F.avg_pool2d(crops, 2)
        decoded = model.decode(latents).sample
    error = decoded.float() - crops
    edges = error.diff(dim=-1).abs().mean() + error.diff(dim=-2).abs().mean()
    squared = error.square().mean()
    loss = error.abs().mean() + 2 * squared + 0.5 * edges + KL_WEIGHT * 0.5 * mean.square().mean()
    return loss, squared.item(), mean.std().item()


def train(data: Data, work_dir: Path, samples: int, log: Log) -> None:
    """Trains encoder and decoder on `samples` crops and writes the folder `autoencoder`.

    Once there are latents, or a restored model, the encoder stays as it is whatever the budget: transformers learned
    what it makes.
    """
    state = load_checkpoint(work_dir / "autoencoder.pt")
    restored = state is not None and "optimizer" not in state
    if (work_dir / "autoencoder").exists() and (restored or any(work_dir.glob("latents-*"))):
        return
    _train(data, work_dir, "autoencoder", samples, log, encoder_learns=True)


def refine_decoder(data: Data, work_dir: Path, samples: int, log: Log) -> None:
    """Trains the decoder alone on `samples` more crops and replaces the folder `autoencoder`."""
    _train(data, work_dir, "decoder", samples, log, encoder_learns=False)


def load(work_dir: Path) -> AutoencoderKL:
    return AutoencoderKL.from_pretrained(work_dir / "autoencoder").to(memory_format=torch.channels_last).eval()


def _train(data: Data, work_dir: Path, stage: str, samples: int, log: Log, encoder_learns: bool) -> None:
    checkpoint_path = work_dir / f"{stage}.pt"
    state = load_checkpoint(checkpoint_path)
    seen = state["samples"] if state else 0
    folder = work_dir / "autoencoder"
    if seen >= samples and folder.exists():
        return
    model = make_autoencoder() if encoder_learns else load(work_dir).train()
    learned = model if encoder_learns else model.decoder
    average = {name: value.clone() for name, value in model.state_dict().items()}
    optimizer = torch.optim.AdamW(learned.parameters(), lr=LEARNING_RATE, betas=(0.9, 0.95), weight_decay=0)
    if state:
        model.load_state_dict(state["model"])
        average = state["average"]
        if "optimizer" in state:  # a restored model has none
            optimizer.load_state_dict(state["optimizer"])
    crops = Crops(data)
    running, first, began = {}, seen, Timer(0)
    due, report = Timer(CHECKPOINT_SECONDS), Timer(60)

    def save() -> None:
        kept = {"model": model.state_dict(), "average": average, "optimizer": optimizer.state_dict(), "samples": seen}
        save_checkpoint(checkpoint_path, kept)

    while seen < samples:
        torch.manual_seed(seen)
        rng = random.Random(seen)
        progress = seen / samples
        rate = LEARNING_RATE * (1 if encoder_learns else 0.5) * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * progress)))
        for group in optimizer.param_groups:
            group["lr"] = rate * min(1, (seen + BATCH) / 2000)
        halved = rng.random() < 0.25
        loss, squared, size = _loss(model, crops.batch(rng), encoder_learns, halved)
        optimizer.zero_grad()
        loss.backward()
        if encoder_learns:  # the log variance stays as it was made
            model.encoder.conv_out.weight.grad[LATENT_CHANNELS:] = 0
            model.encoder.conv_out.bias.grad[LATENT_CHANNELS:] = 0
        torch.nn.utils.clip_grad_norm_(learned.parameters(), 1.0)
        optimizer.step()
        seen += BATCH
        decay = min(0.998, seen / (seen + 50 * BATCH))
        with torch.no_grad():
            torch._foreach_lerp_(list(average.values()), list(model.state_dict().values()), 1 - decay)
        if not halved:
            for key, value in (("squared", squared), ("size", size)):
                running[key] = 0.98 * running.get(key, value) + 0.02 * value
        if report():
            speed = (seen - first) / (report.last - began.last)
            log(stage, samples=seen, psnr=10 * math.log10(4 / running["squared"]), size=running["size"], speed=speed)
        if due():
            save()
    save()
    model.load_state_dict(average)
    model.eval()
    result = {"psnr_held_out": psnr(model, data, crops.held_out), "psnr_subjects": psnr(model, data, data.subjects)}
    if encoder_learns:
        mean, std = _latent_statistics(model, data)
        model.register_to_config(scaling_factor=1 / std, shift_factor=mean)
    model.to(memory_format=torch.contiguous_format)  # as safetensors wants it
    save_folder(folder, lambda path: model.save_pretrained(path))
    log(stage, samples=seen, done=True, scaling=model.config.scaling_factor, shift=model.config.shift_factor, **result)


def _latent_statistics(model: AutoencoderKL, data: Data) -> tuple[float, float]:
    """Mean and standard deviation of the subjects' latents."""
    pictures = to_model([data.paint(Scene((Object(index),), "white")) for index in data.subjects[::3]])
    with torch.no_grad(), autocast():
        latents = torch.cat([model.encode(part).latent_dist.mean.float() for part in pictures.split(8)])
    return latents.mean().item(), latents.std().item()
