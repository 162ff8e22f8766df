"""The DiT: architecture, and training by velocity prediction on precomputed latents.

The network is diffusers' DiTTransformer2DModel at a width of 192; its classes are the subjects. At timestep t it sees
x_t = √ᾱ latents + √(1 - ᾱ) noise and learns the velocity √ᾱ noise - √(1 - ᾱ) latents (arXiv 2202.00512). At the
noisy end, where a picture is decided, that is the picture itself; the noise, which Meta's DiT learns, is nearly what
the model is given there, and says little.
One label in ten is that of no class, for classifier-free guidance.

Two things are as they are since diffusers' DiTPipeline is as it is. It takes label 1000 for no class, so the tables have
1,001 rows, whatever the number of classes. And it does not know of an autoencoder's shift, so the latents are scaled only.
"""

from collections.abc import Callable
from pathlib import Path

import torch
from diffusers import DDIMScheduler, DiTTransformer2DModel
from diffusers.models.embeddings import get_2d_sincos_pos_embed
from torch import nn

from . import autoencoder
from .autoencoder import FACTOR, LATENT_CHANNELS
from .data import SIZE, Data
from .files import Log
from .latents import Latents
from .precision import autocast
from .trainer import Stage, Trainer, load_average, seeded

HEADS, HEAD_WIDTH = 3, 64
BLOCKS = 6
NO_CLASS = 1000
NO_CLASS_SHARE = 0.1
TIMESTEPS = 1000


class DiTModel(nn.Module):
    """The transformer, all that learns here."""

    def __init__(self):
        super().__init__()
        self.transformer = DiTTransformer2DModel(
            num_attention_heads=HEADS,
            attention_head_dim=HEAD_WIDTH,
            in_channels=LATENT_CHANNELS,
            out_channels=LATENT_CHANNELS,  # no variance is estimated, which no sampler of diffusers or clusca would use
            num_layers=BLOCKS,
            num_embeds_ada_norm=NO_CLASS,
            sample_size=SIZE // FACTOR,
            patch_size=2,
        )
        self.transformer.eval()  # in training mode every block would leave away other labels than the next
        for name, parameter in self.transformer.named_parameters():
            if name.endswith("bias"):
                nn.init.zeros_(parameter)
            elif ".norm1.linear" in name or name.startswith("proj_out"):
                nn.init.normal_(parameter, std=1e-3)  # modulation and output begin near nought (adaLN-Zero)
            elif "embedding_table" in name:
                nn.init.normal_(parameter, std=0.7)  # as large as a timestep's vector: classes are told apart at once
            else:
                nn.init.xavier_uniform_(parameter.flatten(1))


def make_scheduler() -> DDIMScheduler:
    """The noise of Meta's DiT: betas on a line."""
    return DDIMScheduler(
        num_train_timesteps=TIMESTEPS,
        beta_start=1e-4,
        beta_end=0.02,
        beta_schedule="linear",
        prediction_type="v_prediction",
        clip_sample=False,
        set_alpha_to_one=True,
    )


def class_names(data: Data) -> dict[int, str]:
    """All classes with their names, separated by commas as those of ImageNet."""
    return {label: ", ".join(data.emoji[emoji].names) for label, emoji in enumerate(data.subjects)}


class DiTTrainer(Trainer):
    def __init__(self, work_dir: Path, data: Data, log: Log):
        self.work_dir, self.data, self.log = work_dir, data, log
        self.labels = {emoji: label for label, emoji in enumerate(data.subjects)}
        self.scheduler = make_scheduler()
        config = autoencoder.load(work_dir).config
        self.shift = config.shift_factor * config.scaling_factor
        super().__init__(work_dir / "dit.pt")

    def make_model(self, fresh: bool) -> DiTModel:
        return DiTModel()

    def objective(self, stage: Stage, network: nn.Module) -> Callable[[int], torch.Tensor]:
        latents = Latents(self.data, self.work_dir, stage.size, self.log)
        self._set_positions(stage.size)
        return lambda seen: self._loss(network, stage, latents, seen)

    def _set_positions(self, size: int) -> None:
        """Lets the transformer keep the positions of a picture of this size, which it would compute at each step: they
        span the same range whatever the size is."""
        embedder = self.model.transformer.pos_embed
        side = size // FACTOR // embedder.patch_size
        positions = get_2d_sincos_pos_embed(
            embedder.pos_embed.shape[-1], side, base_size=embedder.base_size, output_type="pt"
        )
        embedder.height = embedder.width = side
        embedder.pos_embed = positions.float()[None]

    def _loss(self, network: nn.Module, stage: Stage, latents: Latents, seen: int) -> torch.Tensor:
        rng = seeded(stage.name, seen)
        drawn = [latents.draw(rng, white=1.0) for _ in range(stage.batch)]
        labels = [NO_CLASS if rng.random() < NO_CLASS_SHARE else self.labels[scene.objects[0].emoji] for scene, _ in drawn]
        clean = torch.stack([latent for _, latent in drawn]).float() + self.shift
        noise = torch.randn_like(clean)
        # Timesteps spread evenly over a batch: the loss varies less than with independent ones.
        t = ((torch.arange(stage.batch) + torch.rand(stage.batch)) * (TIMESTEPS / stage.batch)).long()
        noisy = self.scheduler.add_noise(clean, noise, t)
        with autocast():
            velocity = network(noisy, timestep=t, class_labels=torch.tensor(labels), return_dict=False)[0]
        return (velocity.float() - self.scheduler.get_velocity(clean, noise, t)).square().mean()


def averaged_model(work_dir: Path) -> tuple[DiTModel, dict[str, int]]:
    """The averaged weights of the last checkpoint, and the samples seen by stage."""
    model = DiTModel()
    return model, load_average(work_dir / "dit.pt", model)
