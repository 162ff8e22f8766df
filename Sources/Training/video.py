"""The HunyuanVideo transformer: architecture, and training by flow matching on precomputed latents of clips.

The network is diffusers' HunyuanVideoTransformer3DModel at a width of 192, without distilled guidance. At noise level t
it sees x_t = (1 - t) latents + t noise and learns the velocity noise - latents (rectified flow). One caption in ten is
left empty, for classifier-free guidance. Text encoders learn along, slowly.
"""

import dataclasses
import random
from collections.abc import Callable
from pathlib import Path

import torch
from diffusers import HunyuanVideoTransformer3DModel
from torch import nn

from . import video_autoencoder, video_encoders
from .clip_text import CLIP_WIDTH
from .data import Data
from .files import Log, load_checkpoint, save_checkpoint
from .precision import autocast
from .trainer import Stage, Trainer, load_average, seeded
from .video_autoencoder import LATENT_CHANNELS
from .video_data import Clip, caption, paint, random_clip

HEADS, HEAD_WIDTH = 3, 64
DOUBLE_BLOCKS, SINGLE_BLOCKS, REFINER_BLOCKS = 1, 4, 1
ROPE_AXES = (16, 24, 24)
EMPTY_CAPTIONS = 0.1
NOISE_MEAN, NOISE_STD = 0.8, 1.2  # of logit(t)
PART = 512  # clips a file of latents


@dataclasses.dataclass(frozen=True, kw_only=True)
class VideoStage(Stage):
    clips: int  # in the bank of latents
    first_only: bool  # whether it sees the first latent frame only, which stands for the first frame


def make_transformer() -> HunyuanVideoTransformer3DModel:
    model = HunyuanVideoTransformer3DModel(
        in_channels=LATENT_CHANNELS,
        out_channels=LATENT_CHANNELS,
        num_attention_heads=HEADS,
        attention_head_dim=HEAD_WIDTH,
        num_layers=DOUBLE_BLOCKS,
        num_single_layers=SINGLE_BLOCKS,
        num_refiner_layers=REFINER_BLOCKS,
        rope_axes_dim=ROPE_AXES,
        text_embed_dim=video_encoders.LLAMA_WIDTH,
        pooled_projection_dim=CLIP_WIDTH,
        guidance_embeds=False,
    )
    for name, parameter in model.named_parameters():
        if name.endswith("bias"):
            nn.init.zeros_(parameter)
        elif parameter.ndim == 2 and (".norm" in name or name.startswith(("norm_out", "proj_out"))):
            nn.init.normal_(parameter, std=1e-3)  # modulation and output begin near nought (adaLN-Zero)
        elif parameter.ndim >= 2:
            nn.init.xavier_uniform_(parameter.flatten(1))
    return model


class VideoModel(nn.Module):
    """Transformer and text encoders, all that learns here."""

    def __init__(self, work_dir: Path, pretrained: bool = False):
        super().__init__()
        encoders = video_encoders
        self.encoders = encoders.load_pretrained(work_dir) if pretrained else encoders.VideoEncoders(work_dir)
        self.transformer = make_transformer()


class ClipBank:
    """Random clips with their latents [32, 4, 16, 16], in half precision; parts on disk are reused."""

    def __init__(self, data: Data, work_dir: Path, count: int, log: Log):
        rng = random.Random(2)
        self.clips = [random_clip(data, rng, data.video_subjects) for _ in range(count)]
        folder = work_dir / "latents-clips"
        folder.mkdir(exist_ok=True)
        model, parts = None, []
        for start in range(0, count, PART):
            clips = self.clips[start : start + PART]
            path = folder / f"{start:06}-{len(clips)}.pt"
            part = load_checkpoint(path)
            if part is None:
                model = model or video_autoencoder.load(work_dir)
                part = {"latents": self._encode(model, data, clips)}
                save_checkpoint(path, part)
                log("latents", kind="video", clips=start + len(clips), of=count)
            parts.append(part["latents"])
        self.latents = torch.cat(parts)

    @staticmethod
    @torch.no_grad()
    def _encode(model, data: Data, clips: list[Clip]) -> torch.Tensor:
        latents = []
        for start in range(0, len(clips), 8):
            painted = video_autoencoder.to_model([paint(data, clip) for clip in clips[start : start + 8]])
            latents.append((video_autoencoder.encode(model, painted) * model.config.scaling_factor).half())
        return torch.cat(latents)


class VideoTrainer(Trainer):
    def __init__(self, work_dir: Path, data: Data, log: Log):
        self.work_dir, self.data, self.log = work_dir, data, log
        super().__init__(work_dir / "video.pt")

    def make_model(self, fresh: bool) -> VideoModel:
        return VideoModel(self.work_dir, pretrained=fresh)

    def objective(self, stage: VideoStage, network: nn.Module) -> Callable[[int], torch.Tensor]:
        bank = ClipBank(self.data, self.work_dir, stage.clips, self.log)
        return lambda seen: self._loss(network, stage, bank, seen)

    def _loss(self, network: nn.Module, stage: VideoStage, bank: ClipBank, seen: int) -> torch.Tensor:
        rng = seeded(stage.name, seen)
        drawn = [rng.randrange(len(bank.clips)) for _ in range(stage.batch)]
        captions = ["" if rng.random() < EMPTY_CAPTIONS else caption(self.data, bank.clips[n], rng) for n in drawn]
        clean = bank.latents[drawn, :, : 1 if stage.first_only else None].float()
        noise = torch.randn_like(clean)
        t = torch.sigmoid(NOISE_MEAN + NOISE_STD * torch.randn(stage.batch))
        noisy = torch.lerp(clean, noise, t[:, None, None, None, None])
        with autocast():
            pooled, sequence, mask = self.model.encoders(captions)
            velocity = network(
                hidden_states=noisy,
                timestep=1000 * t,
                encoder_hidden_states=sequence,
                encoder_attention_mask=mask,
                pooled_projections=pooled,
                return_dict=False,
            )[0]
        return (velocity.float() - (noise - clean)).square().mean()


def averaged_model(work_dir: Path) -> tuple[VideoModel, dict[str, int]]:
    """The averaged weights of the last checkpoint, and the samples seen by stage."""
    model = VideoModel(work_dir)
    return model, load_average(work_dir / "video.pt", model)
