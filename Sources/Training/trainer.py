"""Training of a transformer, whichever it is: optimisers, average of the weights, checkpoints, and the loop."""

import abc
import dataclasses
import random
import signal
import time
import zlib
from collections.abc import Callable
from pathlib import Path

import torch
from torch import nn

from .files import Log, Timer, load_checkpoint, save_checkpoint
from .precision import prepare_training

LEARNING_RATE = 2e-3
ENCODER_RATE = 0.25  # of the learning rate, for text encoders: they are trained already
WARM_UP = 3200  # samples
CHECKPOINT_SECONDS = 180


@dataclasses.dataclass(frozen=True, kw_only=True)
class Stage:
    """A stretch of training at one size; budgets count samples of this stage."""

    name: str
    size: int  # pixels of a side
    samples: int
    batch: int = 32
    decay_from: float = 1.0  # share of `samples` from which the learning rate falls to nought
    average_decay: float = 0.998  # of the averaged weights, a step
    compiled: bool = True  # compiling pays off within some thousand samples

    def progress(self, seen: int) -> float:
        return seen / self.samples


class Trainer(abc.ABC):
    """Model, optimisers and average; whole in one checkpoint, so that training goes on where it stopped.

    A model has its `transformer`, and `encoders` if text encoders learn along.
    """

    def __init__(self, path: Path):
        self.path = path
        prepare_training()
        state = load_checkpoint(path)
        torch.manual_seed(0)
        self.model = self.make_model(fresh=state is None)
        matrices, rest, encoders = [], [], []
        for name, parameter in self.model.named_parameters():
            if name.startswith("encoders."):
                encoders.append(parameter)
            elif parameter.ndim == 2 and "blocks" in name and ".norm" not in name:
                matrices.append(parameter)
            else:
                rest.append(parameter)
        groups = [{"params": rest}] + ([{"params": encoders, "factor": ENCODER_RATE}] if encoders else [])
        self.optimizers = [
            torch.optim.Muon(matrices, lr=LEARNING_RATE, momentum=0.95, weight_decay=0.01, adjust_lr_fn="match_rms_adamw"),
            torch.optim.AdamW(groups, betas=(0.9, 0.99), weight_decay=1e-3),
        ]
        self.average = {name: value.clone() for name, value in self.model.state_dict().items()}
        self.seen: dict[str, int] = {}  # samples by stage
        if state:
            self.model.load_state_dict(state["model"])
            self.average = state["average"]
            self.seen = state["seen"]
            for optimizer, kept in zip(self.optimizers, state.get("optimizers", [])):  # a restored model has none
                optimizer.load_state_dict(kept)

    @abc.abstractmethod
    def make_model(self, fresh: bool) -> nn.Module:
        """The model; `fresh` if no checkpoint will be loaded into it."""

    @abc.abstractmethod
    def objective(self, stage: Stage, network: nn.Module) -> Callable[[int], torch.Tensor]:
        """What a stage minimises: the loss of the batch that follows so many samples, computed with `network`, which
        is the model's transformer, perhaps compiled."""

    def save(self) -> None:
        state = {"model": self.model.state_dict(), "average": self.average, "seen": self.seen}
        save_checkpoint(self.path, state | {"optimizers": [each.state_dict() for each in self.optimizers]})

    def train(self, stage: Stage, log: Log) -> None:
        seen = self.seen.get(stage.name, 0)
        if seen >= stage.samples:
            return
        transformer = self.model.transformer
        loss_of = self.objective(stage, torch.compile(transformer, dynamic=False) if stage.compiled else transformer)
        due, report = Timer(CHECKPOINT_SECONDS), Timer(60)
        running = since = None
        stopped = Termination()
        while seen < stage.samples:
            self._set_rate(stage, seen)
            value = self._step(loss_of, seen)
            seen += stage.batch
            self.seen[stage.name] = seen
            self._update_average(stage)
            running = value if running is None else 0.995 * running + 0.005 * value
            since = since or (seen, time.process_time())  # the first step compiles: it is not speed
            if report():
                samples, seconds = seen - since[0], time.process_time() - since[1]
                log(stage.name, samples=seen, loss=running, samples_per_cpu_second=samples / max(seconds, 1e-9))
                since = (seen, time.process_time())
            if due() or stopped.asked:
                self.save()
            if stopped.asked:
                raise SystemExit(128 + signal.SIGTERM)
        stopped.obey()
        self.save()
        log(stage.name, samples=seen, loss=running, done=True)

    def _step(self, loss_of: Callable[[int], torch.Tensor], seen: int) -> float:
        loss = loss_of(seen)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        for optimizer in self.optimizers:
            optimizer.step()
        self.model.zero_grad()
        return loss.item()

    def _set_rate(self, stage: Stage, seen: int) -> None:
        progress = stage.progress(seen)
        fall = 1.0 if progress < stage.decay_from else (1 - progress) / (1 - stage.decay_from)
        rate = LEARNING_RATE * min(1.0, (seen + stage.batch) / WARM_UP) * max(0.02, fall)
        for optimizer in self.optimizers:
            for group in optimizer.param_groups:
                group["lr"] = rate * group.get("factor", 1.0)

    @torch.no_grad()
    def _update_average(self, stage: Stage) -> None:
        samples = sum(self.seen.values())
        decay = min(stage.average_decay, samples / (samples + 640))
        pairs = [(self.average[name], value) for name, value in self.model.state_dict().items() if value.is_floating_point()]
        torch._foreach_lerp_([mean for mean, _ in pairs], [value for _, value in pairs], 1 - decay)


class Termination:
    """Remembers a SIGTERM in the place of ending at once, so that the process can end with a checkpoint."""

    def __init__(self):
        self.asked = False
        self.before = signal.signal(signal.SIGTERM, self._ask)

    def _ask(self, number: int, _) -> None:
        self.asked = True

    def obey(self) -> None:
        """From now on the process ends at once again."""
        signal.signal(signal.SIGTERM, self.before)


def seeded(stage: str, seen: int) -> random.Random:
    """Random numbers of the batch that follows so many samples, torch's too: the same whatever interrupts a training."""
    seed = zlib.crc32(stage.encode()) * 10**9 + seen
    torch.manual_seed(seed)
    return random.Random(seed)


def load_average(path: Path, model: nn.Module) -> dict[str, int]:
    """Fills `model` with the averaged weights of the last checkpoint; the samples seen by stage."""
    state = load_checkpoint(path)
    if state is None:
        raise FileNotFoundError(f"{path}: no training of the transformer has begun")
    model.load_state_dict(state["average"])
    model.eval()
    return state["seen"]
