"""The two text encoders of FLUX, small: a CLIP text model (pooled vector) and a T5 encoder (a vector a token).

Their vocabularies are made from the captions themselves. Word vectors begin as projections of those of
all-MiniLM-L6-v2. Before the transformer sees them, both encoders learn to tell from a caption which emoji,
sizes, relation and background it speaks of: without that their outputs for different captions are nearly
alike at first, and a small transformer learns to ignore them.
"""

import collections
import functools
import io
import math
import random
import re
import string
from pathlib import Path

import sentencepiece
import torch
from sentencepiece import sentencepiece_model_pb2
from torch import nn
from transformers import CLIPTokenizerFast, T5Config, T5EncoderModel, T5TokenizerFast

from .clip_text import CLIP_WIDTH, VOCABULARY, make_clip, train_clip_tokenizer
from .data import BACKGROUNDS, RELATIONS, SCALES, Data, Object, Scene
from .files import Log, save_folder
from .text_pretraining import Lesson, begin_clip_from_minilm, pretrain_encoders, word_vectors

CLIP_LENGTH = 32  # tokens of a caption, with the first and the last
T5_LENGTH = 24
T5_WIDTH = 192


def random_scene(data: Data, rng: random.Random, compositions: float) -> Scene:
    """A single object at full size on a background that is not held out, or with a chance a composition."""
    if rng.random() < compositions:
        return data.random_composition(rng)
    while True:
        emoji = rng.choice(data.subjects)
        background = "white" if rng.random() < 0.35 else rng.choice(list(BACKGROUNDS))
        if not data.is_held_out(emoji, background):
            return Scene((Object(emoji),), background)


def train_tokenizers(data: Data, work_dir: Path) -> None:
    """Writes the folders `tokenizer` (CLIP byte pairs) and `tokenizer_2` (T5 unigram pieces)."""
    if (work_dir / "tokenizer_2").exists():
        return
    rng = random.Random(0)
    corpus = [data.caption(random_scene(data, rng, 0.3), rng) for _ in range(40000)]
    for index in data.subjects:
        corpus += data.emoji[index].names + data.emoji[index].keywords
    corpus.sort()
    save_folder(work_dir / "tokenizer", lambda folder: train_clip_tokenizer(corpus, folder, CLIP_LENGTH))
    save_folder(work_dir / "tokenizer_2", lambda folder: _train_t5_tokenizer(corpus, folder))


def _train_t5_tokenizer(corpus: list[str], folder: Path) -> None:
    """A unigram model of whole words by their frequency, and of single letters for all other words."""
    trained = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(corpus),
        model_writer=trained,
        vocab_size=VOCABULARY,
        hard_vocab_limit=False,
        model_type="unigram",
        normalization_rule_name="nmt_nfkc_cf",  # T5's own, and upper case made lower case
        character_coverage=1.0,
        pad_id=0,
        eos_id=1,
        unk_id=2,
        bos_id=-1,
        minloglevel=2,
    )
    model = sentencepiece_model_pb2.ModelProto.FromString(trained.getvalue())
    # The trainer prefers to cut frequent words up, so its own pieces are replaced.
    words = collections.Counter("▁" + word for caption in corpus for word in re.findall(r"[^ ,]+", caption))
    letters = sorted(set("".join(words) + string.ascii_lowercase + string.digits + string.punctuation))
    total = math.log(words.total())
    del model.pieces[3:]
    for word, count in words.most_common():
        model.pieces.add(piece=word, score=math.log(count) - total)
    for letter in letters:
        model.pieces.add(piece=letter, score=-total - 1)
    folder.mkdir()
    (folder / "spiece.model").write_bytes(model.SerializeToString())
    tokenizer = T5TokenizerFast(
        str(folder / "spiece.model"), extra_ids=0, model_max_length=T5_LENGTH, add_prefix_space=True
    )
    tokenizer.save_pretrained(folder)


class TextEncoders(nn.Module):
    """Both encoders with their tokenizers: captions in, (pooled [N, 128], sequence [N, 24, 192]) out."""

    def __init__(self, work_dir: Path):
        super().__init__()
        self.clip_tokenizer = CLIPTokenizerFast.from_pretrained(work_dir / "tokenizer")
        self.t5_tokenizer = T5TokenizerFast.from_pretrained(work_dir / "tokenizer_2")
        self.clip = make_clip(self.clip_tokenizer, CLIP_LENGTH)
        self.t5 = T5EncoderModel(
            T5Config(
                vocab_size=len(self.t5_tokenizer),
                d_model=T5_WIDTH,
                d_kv=64,
                num_heads=3,
                d_ff=512,
                num_layers=2,
                feed_forward_proj="gated-gelu",
                dropout_rate=0.0,
            )
        )
        self._tokens = functools.lru_cache(maxsize=200_000)(self._tokenize)

    def _tokenize(self, caption: str) -> tuple[torch.Tensor, torch.Tensor]:
        options = {"padding": "max_length", "truncation": True, "return_tensors": "pt"}
        clip = self.clip_tokenizer(caption, max_length=CLIP_LENGTH, **options).input_ids[0]
        return clip, self.t5_tokenizer(caption, max_length=T5_LENGTH, **options).input_ids[0]

    def forward(self, captions: list[str]) -> tuple[torch.Tensor, torch.Tensor]:
        tokens = [self._tokens(caption) for caption in captions]
        pooled = self.clip(torch.stack([clip for clip, _ in tokens])).pooler_output
        return pooled, self.t5(torch.stack([t5 for _, t5 in tokens]))[0]  # padding takes part, as in FluxPipeline


    def vectors(self, captions: list[str]) -> list[torch.Tensor]:
        """What each encoder makes of captions, as one vector."""
        pooled, sequence = self(captions)
        return [pooled, sequence.mean(1)]


def pretrain(data: Data, work_dir: Path, samples: int, log: Log) -> None:
    """Trains both encoders on `samples` captions and keeps them in text_encoders.pt."""
    subjects = {emoji: number for number, emoji in enumerate(data.subjects)}

    def labels(scene: Scene) -> list[int]:
        first, second = scene.objects[0], scene.objects[1] if scene.relation else None
        sizes = list(SCALES)
        return [
            subjects[first.emoji],
            subjects[second.emoji] if second else len(subjects),
            sizes.index(first.size),
            sizes.index(second.size) if second else 0,
            1 + list(RELATIONS).index(scene.relation) if scene.relation else 0,
            list(BACKGROUNDS).index(scene.background),
        ]

    def draw(rng: random.Random) -> tuple[str, list[int]]:
        scene = random_scene(data, rng, 0.3)
        return data.caption(scene, rng), labels(scene)

    emoji = len(subjects)
    lesson = Lesson(
        draw=draw,
        widths=(CLIP_WIDTH, T5_WIDTH),
        classes=(emoji, emoji + 1, len(SCALES), len(SCALES), len(RELATIONS) + 1, len(BACKGROUNDS)),
    )
    path = work_dir / "text_encoders.pt"
    pretrain_encoders(lambda: TextEncoders(work_dir), _begin_from_minilm, lesson, path, samples, log)


@torch.no_grad()
def _begin_from_minilm(encoders: TextEncoders) -> None:
    t5_pieces = encoders.t5_tokenizer.convert_ids_to_tokens(range(len(encoders.t5_tokenizer)))
    t5_words = {n: piece[1:] for n, piece in enumerate(t5_pieces) if piece.startswith("▁") and len(piece) > 2}
    encoders.t5.shared.weight.normal_()
    encoders.t5.shared.weight[list(t5_words)] = word_vectors(list(t5_words.values()), T5_WIDTH)
    begin_clip_from_minilm(encoders.clip, encoders.clip_tokenizer)


def load_pretrained(work_dir: Path) -> TextEncoders:
    encoders = TextEncoders(work_dir)
    encoders.load_state_dict(torch.load(work_dir / "text_encoders.pt", weights_only=False)["encoders"])
    return encoders
