"""The FLUX transformer: architecture, and training by flow matching on precomputed latents.

The network is diffusers' FluxTransformer2DModel at a width of 256. At noise level t it sees
x_t = (1 - t) latents + t noise and learns the velocity noise - latents (rectified flow). One caption in ten is
left empty, for classifier-free guidance. Text encoders learn along, slowly.
"""

import dataclasses
from collections.abc import Callable
from pathlib import Path

import torch
from diffusers import FluxPipeline, FluxTransformer2DModel
from torch import nn

from . import text_encoders
from .autoencoder import FACTOR, LATENT_CHANNELS
from .data import Data
from .files import Log
from .latents import Latents
from .precision import autocast
from .trainer import Stage, Trainer, load_average, seeded

HEADS, HEAD_WIDTH = 4, 64
DOUBLE_BLOCKS, SINGLE_BLOCKS = 2, 6
ROPE_AXES = (8, 28, 28)
EMPTY_CAPTIONS = 0.1
COMPOSITION_SHARE, MIRRORED_SHARE = 0.3, 0.1


@dataclasses.dataclass(frozen=True, kw_only=True)
class FluxStage(Stage):
    compositions_after: float  # share of `samples` after which compositions and mirror images come in
    noise: tuple[float, float]  # mean and standard deviation of logit(t)


def make_transformer() -> FluxTransformer2DModel:
    model = FluxTransformer2DModel(
        patch_size=1,
        in_channels=4 * LATENT_CHANNELS,
        num_layers=DOUBLE_BLOCKS,
        num_single_layers=SINGLE_BLOCKS,
        attention_head_dim=HEAD_WIDTH,
        num_attention_heads=HEADS,
        joint_attention_dim=text_encoders.T5_WIDTH,
        pooled_projection_dim=text_encoders.CLIP_WIDTH,
        guidance_embeds=False,
        axes_dims_rope=ROPE_AXES,
    )
    for name, parameter in model.named_parameters():
        if name.endswith("bias"):
            nn.init.zeros_(parameter)
        elif parameter.ndim == 2 and (".norm" in name or name.startswith(("norm_out", "proj_out"))):
            nn.init.normal_(parameter, std=1e-3)  # modulation and output begin near nought (adaLN-Zero)
        elif parameter.ndim == 2:
            nn.init.xavier_uniform_(parameter)
    for layer in (model.time_text_embed.text_embedder.linear_1, model.time_text_embed.text_embedder.linear_2):
        nn.init.xavier_uniform_(layer.weight, gain=1.5)
    return model


class FluxModel(nn.Module):
    """Transformer and text encoders, all that learns here."""

    def __init__(self, work_dir: Path, pretrained: bool = False):
        super().__init__()
        self.encoders = text_encoders.load_pretrained(work_dir) if pretrained else text_encoders.TextEncoders(work_dir)
        self.transformer = make_transformer()


def pack(latents: torch.Tensor) -> torch.Tensor:
    """[N, 16, H, W] -> [N, H/2 * W/2, 64], as FluxPipeline does it."""
    return FluxPipeline._pack_latents(latents, *latents.shape)


def image_ids(size: int) -> torch.Tensor:
    side = size // FACTOR // 2
    return FluxPipeline._prepare_latent_image_ids(1, side, side, "cpu", torch.float32)


class FluxTrainer(Trainer):
    def __init__(self, work_dir: Path, data: Data, log: Log):
        self.work_dir, self.data, self.log = work_dir, data, log
        super().__init__(work_dir / "flux.pt")

    def make_model(self, fresh: bool) -> FluxModel:
        return FluxModel(self.work_dir, pretrained=fresh)

    def objective(self, stage: FluxStage, network: nn.Module) -> Callable[[int], torch.Tensor]:
        variants = stage.compositions_after < 1
        latents = Latents(self.data, self.work_dir, stage.size, self.log, mirrored=variants, compositions=variants)
        return lambda seen: self._loss(network, stage, latents, seen)

    def _loss(self, network: nn.Module, stage: FluxStage, latents: Latents, seen: int) -> torch.Tensor:
        rng = seeded(stage.name, seen)
        late = stage.progress(seen) >= stage.compositions_after
        shares = (COMPOSITION_SHARE, MIRRORED_SHARE) if late else (0.0, 0.0)
        drawn = [latents.draw(rng, *shares) for _ in range(stage.batch)]
        captions = ["" if rng.random() < EMPTY_CAPTIONS else self.data.caption(scene, rng) for scene, _ in drawn]
        clean = pack(torch.stack([latent for _, latent in drawn]).float())
        noise = torch.randn_like(clean)
        mean, deviation = stage.noise
        t = torch.sigmoid(mean + deviation * torch.randn(stage.batch))
        noisy = torch.lerp(clean, noise, t[:, None, None])
        with autocast():
            pooled, sequence = self.model.encoders(captions)
            velocity = network(
                hidden_states=noisy,
                encoder_hidden_states=sequence,
                pooled_projections=pooled,
                timestep=t,
                img_ids=image_ids(stage.size),
                txt_ids=torch.zeros(text_encoders.T5_LENGTH, 3),
                return_dict=False,
            )[0]
        return (velocity.float() - (noise - clean)).square().mean()


def averaged_model(work_dir: Path) -> tuple[FluxModel, dict[str, int]]:
    """The averaged weights of the last checkpoint, and the samples seen by stage."""
    model = FluxModel(work_dir)
    return model, load_average(work_dir / "flux.pt", model)
