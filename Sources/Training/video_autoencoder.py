"""The causal video autoencoder: diffusers' AutoencoderKLHunyuanVideo, factor 4 in space and in time, 32 channels.

Trained as that of pictures (`autoencoder.py`), with a fixed standard deviation of the posterior. Without attention in
the middle, which would cost more than all else at this size.

It learns stills first, which cost a third: single frames, where every convolution in time sees the same frame at all
its taps and only the last tap learns. What it has learned then shows of a clip every fourth frame, held for four.
Windows of 32 x 32 pixels of whole clips follow, with all taps.
"""

import math
import random
from pathlib import Path

import numpy as np
import torch
from diffusers import AutoencoderKLHunyuanVideo

from .autoencoder import KL_WEIGHT, POSTERIOR_STD
from .data import Data
from .files import Log, Timer, load_checkpoint, save_checkpoint, save_folder
from .precision import autocast
from .video_data import FRAMES, SIDE, paint, random_clip

CHANNELS = (16, 32, 64)
LATENT_CHANNELS = 32  # those of pictures have 16; here they stand for four frames
FACTOR = 4
WINDOW = 32
CLIPS, WINDOWS_OF_A_CLIP = 4, 2  # a batch of windows
STILLS = 8  # a batch of whole frames
LEARNING_RATE = 2e-3
CHECKPOINT_SECONDS = 150
FOLDER = "video_autoencoder"


def make_autoencoder() -> AutoencoderKLHunyuanVideo:
    model = AutoencoderKLHunyuanVideo(
        down_block_types=("HunyuanVideoDownBlock3D",) * len(CHANNELS),
        up_block_types=("HunyuanVideoUpBlock3D",) * len(CHANNELS),
        block_out_channels=CHANNELS,
        layers_per_block=1,
        latent_channels=LATENT_CHANNELS,
        norm_num_groups=8,
        spatial_compression_ratio=FACTOR,
        mid_block_add_attention=False,
        scaling_factor=1.0,
    )
    with torch.no_grad():  # the encoder ends with a mix of channels; means pass it, log variances are fixed
        model.quant_conv.weight.copy_(torch.eye(2 * LATENT_CHANNELS)[..., None, None, None])
        model.quant_conv.weight[LATENT_CHANNELS:] = 0
        model.quant_conv.bias[:LATENT_CHANNELS] = 0
        model.quant_conv.bias[LATENT_CHANNELS:] = 2 * math.log(POSTERIOR_STD)
        for weight in _over_time(model):
            weight[:, :, :-1] = 0
    return model


def _over_time(model: AutoencoderKLHunyuanVideo) -> list[torch.Tensor]:
    """The weights of the convolutions that see earlier frames too, [out, in, time, height, width]."""
    return [weight for weight in model.parameters() if weight.ndim == 5 and weight.shape[2] > 1]


def to_model(clips: list[np.ndarray]) -> torch.Tensor:
    """uint8 clips [frames, H, W, 3] as one tensor [N, 3, frames, H, W] in [-1, 1]."""
    return (torch.from_numpy(np.stack(clips)).permute(0, 4, 1, 2, 3).float() / 127.5 - 1).contiguous()


def encode(model: AutoencoderKLHunyuanVideo, clips: torch.Tensor) -> torch.Tensor:
    """The means of the latents, [N, 32, frames / 4 + 1, H / 4, W / 4], not scaled."""
    with autocast():
        return model.encode(clips).latent_dist.mean.float()


def _loss(model: AutoencoderKLHunyuanVideo, windows: torch.Tensor) -> tuple[torch.Tensor, float]:
    """The loss and the mean squared error."""
    mean = encode(model, windows)
    with autocast():
        decoded = model.decode(mean + POSTERIOR_STD * torch.randn_like(mean)).sample
    error = decoded.float() - windows
    edges = sum(error.diff(dim=axis).abs().mean() for axis in (-1, -2, -3) if error.shape[axis] > 1)
    squared = error.square().mean()
    return error.abs().mean() + 2 * squared + 0.5 * edges + KL_WEIGHT * 0.5 * mean.square().mean(), squared.item()


def _windows(data: Data, emoji: list[int], rng: random.Random) -> torch.Tensor:
    windows = []
    for _ in range(CLIPS):
        clip = paint(data, random_clip(data, rng, emoji))
        for _ in range(WINDOWS_OF_A_CLIP):
            x, y = rng.randint(0, SIDE - WINDOW), rng.randint(0, SIDE - WINDOW)
            windows.append(clip[:, y : y + WINDOW, x : x + WINDOW])
    return to_model(windows)


def _stills(data: Data, emoji: list[int], rng: random.Random) -> torch.Tensor:
    return to_model([paint(data, random_clip(data, rng, emoji), [rng.randrange(FRAMES)]) for _ in range(STILLS)])


def load(work_dir: Path) -> AutoencoderKLHunyuanVideo:
    return AutoencoderKLHunyuanVideo.from_pretrained(work_dir / FOLDER).eval()


def psnr(model: AutoencoderKLHunyuanVideo, data: Data, clips: int) -> float:
    """Peak signal-to-noise ratio in dB of random clips of subjects."""
    rng = random.Random(11)
    error = []
    for _ in range(clips):
        clip = to_model([paint(data, random_clip(data, rng))])
        with torch.no_grad(), autocast():
            decoded = model.decode(model.encode(clip).latent_dist.mean).sample
        error.append((decoded.float().clamp(-1, 1) - clip).square().mean())
    return 10 * math.log10(4 / torch.stack(error).mean().item())


def train(data: Data, work_dir: Path, stills: int, samples: int, log: Log) -> None:
    """Trains on `samples`, of which so many are stills, and writes the folder; once a transformer learns its latents it
    stays as it is."""
    path, folder = work_dir / "video_autoencoder.pt", work_dir / FOLDER
    state = load_checkpoint(path)
    seen = state["samples"] if state else 0
    restored = state is not None and "optimizer" not in state
    if folder.exists() and (seen >= samples or restored or (work_dir / "video.pt").exists()):
        return
    torch.manual_seed(0)
    model = make_autoencoder()
    average = {name: value.clone() for name, value in model.state_dict().items()}
    optimizer = torch.optim.AdamW(model.parameters(), lr=LEARNING_RATE, betas=(0.9, 0.95), weight_decay=0)
    if state:
        model.load_state_dict(state["model"])
        average = state["average"]
        optimizer.load_state_dict(state["optimizer"])
    everything = list(range(len(data.emoji)))
    due, report = Timer(CHECKPOINT_SECONDS), Timer(60)
    running = None

    def save() -> None:
        kept = {"model": model.state_dict(), "average": average, "optimizer": optimizer.state_dict(), "samples": seen}
        save_checkpoint(path, kept)

    while seen < samples:
        still = seen < stills
        drawn = (_stills if still else _windows)(data, everything, random.Random(seen))
        batch = len(drawn)
        torch.manual_seed(seen)
        rate = LEARNING_RATE * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * seen / samples)))
        for group in optimizer.param_groups:
            group["lr"] = rate * min(1, (seen + batch) / 1000)
        loss, squared = _loss(model, drawn)
        optimizer.zero_grad()
        loss.backward()
        if still:
            for weight in _over_time(model):
                weight.grad[:, :, :-1] = 0
        model.quant_conv.weight.grad[LATENT_CHANNELS:] = 0  # the log variance stays as it was made
        model.quant_conv.bias.grad[LATENT_CHANNELS:] = 0
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        seen += batch
        decay = min(0.998, seen / (seen + 50 * batch))
        with torch.no_grad():
            torch._foreach_lerp_(list(average.values()), list(model.state_dict().values()), 1 - decay)
        running = squared if running is None else 0.98 * running + 0.02 * squared
        if report():
            log(FOLDER, samples=seen, psnr=10 * math.log10(4 / running))
        if due():
            save()
    save()
    model.load_state_dict(average)
    model.eval()
    model.register_to_config(scaling_factor=1 / _latent_std(model, data))
    save_folder(folder, lambda place: model.save_pretrained(place))
    log(FOLDER, samples=seen, done=True, scaling=model.config.scaling_factor, psnr_subjects=psnr(model, data, 32))


@torch.no_grad()
def _latent_std(model: AutoencoderKLHunyuanVideo, data: Data) -> float:
    rng = random.Random(5)
    return torch.cat([encode(model, to_model([paint(data, random_clip(data, rng))])) for _ in range(64)]).std().item()
