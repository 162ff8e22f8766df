"""The FLUX transformer: architecture, and training by flow matching on precomputed latents.

The network is diffusers' FluxTransformer2DModel at a width of 256. At noise level t it sees
x_t = (1 - t) latents + t noise and learns the velocity noise - latents (rectified flow). One caption in ten is
left empty, for classifier-free guidance. Text encoders learn along, slowly.
"""

import dataclasses
import random
import zlib
from pathlib import Path

import torch
from diffusers import FluxPipeline, FluxTransformer2DModel
from torch import nn

from . import text_encoders
from .autoencoder import FACTOR, LATENT_CHANNELS
from .data import Data
from .files import Log, Timer, load_checkpoint, save_checkpoint
from .latents import Latents
from .precision import autocast, orthogonalize_in_float32

HEADS, HEAD_WIDTH = 4, 64
DOUBLE_BLOCKS, SINGLE_BLOCKS = 2, 6
ROPE_AXES = (8, 28, 28)
LEARNING_RATE = 2e-3
TEXT_RATE = 0.25  # of the learning rate, for the text encoders: they are trained already
WARM_UP = 3200  # samples
AVERAGE_DECAY = 0.998
EMPTY_CAPTIONS = 0.1
COMPOSITION_SHARE, MIRRORED_SHARE = 0.3, 0.1
CHECKPOINT_SECONDS = 180


@dataclasses.dataclass(frozen=True)
class Stage:
    """A stretch of training at one picture size; budgets count samples of this stage."""

    name: str
    size: int  # pixels of a side
    samples: int
    compositions_after: float  # share of `samples` after which compositions and mirror images come in
    noise: tuple[float, float]  # mean and standard deviation of logit(t)
    batch: int = 32
    decay_from: float = 1.0  # share of `samples` from which the learning rate falls to nought
    compiled: bool = True  # compiling pays off within some ten thousand samples


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


class Trainer:
    """Model, optimisers and average; whole in one checkpoint, so that training goes on where it stopped."""

    def __init__(self, work_dir: Path):
        self.path = work_dir / "flux.pt"
        state = load_checkpoint(self.path)
        torch.manual_seed(0)
        self.model = FluxModel(work_dir, pretrained=state is None)
        blocks, rest, text = [], [], list(self.model.encoders.parameters())
        for name, parameter in self.model.transformer.named_parameters():
            matrix = parameter.ndim == 2 and "blocks" in name and ".norm" not in name
            (blocks if matrix else rest).append(parameter)
        orthogonalize_in_float32()
        self.optimizers = [
            torch.optim.Muon(blocks, lr=LEARNING_RATE, momentum=0.95, weight_decay=0.01, adjust_lr_fn="match_rms_adamw"),
            torch.optim.AdamW([{"params": rest}, {"params": text}], betas=(0.9, 0.99), weight_decay=1e-3),
        ]
        self.optimizers[1].param_groups[1]["factor"] = TEXT_RATE
        self.average = {name: value.clone() for name, value in self.model.state_dict().items()}
        self.seen: dict[str, int] = {}  # samples by stage
        if state:
            self.model.load_state_dict(state["model"])
            self.average = state["average"]
            self.seen = state["seen"]
            for optimizer, kept in zip(self.optimizers, state["optimizers"]):
                optimizer.load_state_dict(kept)

    def save(self) -> None:
        state = {"model": self.model.state_dict(), "average": self.average, "seen": self.seen}
        save_checkpoint(self.path, state | {"optimizers": [each.state_dict() for each in self.optimizers]})

    def train(self, stage: Stage, data: Data, work_dir: Path, log: Log) -> None:
        seen = self.seen.get(stage.name, 0)
        if seen >= stage.samples:
            return
        latents = Latents(data, work_dir, stage.size, stage.compositions_after < 1, log)
        transformer = torch.compile(self.model.transformer, dynamic=False) if stage.compiled else self.model.transformer
        due, report = Timer(CHECKPOINT_SECONDS), Timer(60)
        first, began, running = seen, Timer(0), None
        while seen < stage.samples:
            self._set_rate(stage, seen)
            loss = self._loss(transformer, stage, latents, data, seen)
            loss.backward()
            torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
            for optimizer in self.optimizers:
                optimizer.step()
            self.model.zero_grad()
            seen += stage.batch
            self.seen[stage.name] = seen
            self._update_average()
            value = loss.item()
            running = value if running is None else 0.995 * running + 0.005 * value
            if first + stage.batch == seen:  # the first step compiles: it is not speed
                began, first = Timer(0), seen
            if report():
                log(stage.name, samples=seen, loss=running, speed=(seen - first) / (report.last - began.last))
            if due():
                self.save()
        self.save()
        log(stage.name, samples=seen, loss=running, done=True)

    def _set_rate(self, stage: Stage, seen: int) -> None:
        progress = seen / stage.samples
        fall = 1.0 if progress < stage.decay_from else (1 - progress) / (1 - stage.decay_from)
        rate = LEARNING_RATE * min(1.0, (seen + stage.batch) / WARM_UP) * max(0.02, fall)
        for optimizer in self.optimizers:
            for group in optimizer.param_groups:
                group["lr"] = rate * group.get("factor", 1.0)

    def _loss(self, transformer, stage: Stage, latents: Latents, data: Data, seen: int) -> torch.Tensor:
        seed = zlib.crc32(stage.name.encode()) * 10**9 + seen  # every sample has its own random numbers, whatever interrupts
        rng = random.Random(seed)
        torch.manual_seed(seed)
        late = seen >= stage.compositions_after * stage.samples
        shares = (COMPOSITION_SHARE, MIRRORED_SHARE) if late else (0.0, 0.0)
        drawn = [latents.draw(rng, *shares) for _ in range(stage.batch)]
        captions = ["" if rng.random() < EMPTY_CAPTIONS else data.caption(scene, rng) for scene, _ in drawn]
        clean = pack(torch.stack([latent for _, latent in drawn]).float())
        noise = torch.randn_like(clean)
        mean, deviation = stage.noise
        t = torch.sigmoid(mean + deviation * torch.randn(stage.batch))
        noisy = torch.lerp(clean, noise, t[:, None, None])
        with autocast():
            pooled, sequence = self.model.encoders(captions)
            velocity = transformer(
                hidden_states=noisy,
                encoder_hidden_states=sequence,
                pooled_projections=pooled,
                timestep=t,
                img_ids=image_ids(stage.size),
                txt_ids=torch.zeros(text_encoders.T5_LENGTH, 3),
                return_dict=False,
            )[0]
        return (velocity.float() - (noise - clean)).square().mean()

    @torch.no_grad()
    def _update_average(self) -> None:
        samples = sum(self.seen.values())
        decay = min(AVERAGE_DECAY, samples / (samples + 640))
        pairs = [(self.average[name], value) for name, value in self.model.state_dict().items() if value.is_floating_point()]
        torch._foreach_lerp_([mean for mean, _ in pairs], [value for _, value in pairs], 1 - decay)


def averaged_model(work_dir: Path) -> tuple[FluxModel, dict[str, int]]:
    """The averaged weights of the last checkpoint, and the samples seen by stage."""
    state = load_checkpoint(work_dir / "flux.pt")
    if state is None:
        raise FileNotFoundError(f"{work_dir / 'flux.pt'}: no training of the transformer has begun")
    model = FluxModel(work_dir)
    model.load_state_dict(state["average"])
    return model.eval(), state["seen"]
