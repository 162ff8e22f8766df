"""The two text encoders of HunyuanVideo, small: Llama's hidden states of a prompt in its template, and CLIP's vector.

HunyuanVideoPipeline puts a prompt into a request to describe a video, drops the first 95 tokens of the hidden states
and takes those behind the last but two layers. So Llama has two layers more than work, with weights of nought, and its
vocabulary is made so that the request has 95 tokens: all of its words are whole ones, as in Llama 3's.
"""

import functools
import random
from pathlib import Path

import torch
from diffusers.pipelines.hunyuan_video.pipeline_hunyuan_video import DEFAULT_PROMPT_TEMPLATE
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from torch import nn
from transformers import CLIPTokenizerFast, LlamaConfig, LlamaModel, LlamaTokenizerFast

from .clip_text import CLIP_WIDTH, make_clip, train_clip_tokenizer
from .data import BACKGROUNDS, Data
from .files import Log, save_folder
from .text_pretraining import Lesson, begin_clip_from_minilm, pretrain_encoders, word_vectors
from .video_data import MOTIONS, caption, random_clip

CLIP_LENGTH = 77  # HunyuanVideoPipeline pads to so many
TEXT_TOKENS = 24  # of a prompt, with the end of its turn
LLAMA_WIDTH = 128
WORKING_LAYERS, SKIPPED_LAYERS = 2, 2
VOCABULARY = 1536
CLIP_FOLDER, LLAMA_FOLDER = "video_tokenizer_2", "video_tokenizer"

# How Llama 3 cuts a text into words before byte pairs are merged.
LLAMA_WORDS = Regex(
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
SPECIAL_TOKENS = (
    "<|begin_of_text|>",
    "<|end_of_text|>",
    "<|start_header_id|>",
    "<|end_header_id|>",
    "<|eot_id|>",
    "<|pad|>",
)
TEMPLATE, DROPPED_TOKENS = DEFAULT_PROMPT_TEMPLATE["template"], DEFAULT_PROMPT_TEMPLATE["crop_start"]


def train_tokenizers(data: Data, work_dir: Path) -> None:
    """Writes the folders of Llama's and CLIP's vocabulary, made of captions."""
    if (work_dir / CLIP_FOLDER).exists():
        return
    rng = random.Random(0)
    corpus = [caption(data, random_clip(data, rng), rng) for _ in range(20_000)]
    for index in data.subjects:
        corpus += data.emoji[index].names
    corpus.sort()
    save_folder(work_dir / LLAMA_FOLDER, lambda folder: _train_llama_tokenizer(corpus, folder))
    save_folder(work_dir / CLIP_FOLDER, lambda folder: train_clip_tokenizer(corpus, folder, CLIP_LENGTH))


def _train_llama_tokenizer(corpus: list[str], folder: Path) -> None:
    """Byte pairs as in Llama 3; what stands before every prompt counts so often that all of its words are merged."""
    trained = Tokenizer(models.BPE(ignore_merges=True))
    trained.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(LLAMA_WORDS, behavior="isolated", invert=False),
            pre_tokenizers.ByteLevel(add_prefix_space=False, trim_offsets=True, use_regex=False),
        ]
    )
    trained.decoder = decoders.ByteLevel()
    head = TEMPLATE.partition("{}")[0]
    for token in SPECIAL_TOKENS:
        head = head.replace(token, "\r")
    # A prompt begins behind a line break, so its first word has no blank before it.
    lines = [*head.split("\r")] * len(corpus) + corpus + [f" {line}" for line in corpus]
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY - len(SPECIAL_TOKENS),
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    trained.train_from_iterator(lines, trainer)
    trained.add_special_tokens(list(SPECIAL_TOKENS))
    begin = SPECIAL_TOKENS[0]
    trained.post_processor = processors.Sequence(
        [
            processors.ByteLevel(trim_offsets=True),
            processors.TemplateProcessing(
                single=f"{begin} $A",
                pair=f"{begin} $A {begin}:1 $B:1",
                special_tokens=[(begin, trained.token_to_id(begin))],
            ),
        ]
    )
    tokenizer = LlamaTokenizerFast(
        tokenizer_object=trained,
        bos_token=begin,
        eos_token=SPECIAL_TOKENS[1],
        pad_token=SPECIAL_TOKENS[-1],
        unk_token=None,
        model_max_length=DROPPED_TOKENS + 256,
        padding_side="right",
        add_bos_token=True,
        add_eos_token=False,
        legacy=False,
        clean_up_tokenization_spaces=False,
    )
    tokens = len(tokenizer(TEMPLATE.partition("{}")[0]).input_ids)
    if tokens != DROPPED_TOKENS:
        raise ValueError(f"the template has {tokens} tokens before the prompt, but the pipeline drops {DROPPED_TOKENS}")
    tokenizer.save_pretrained(folder)


class VideoEncoders(nn.Module):
    """Both encoders with their tokenizers: captions in, (pooled [N, 128], sequence [N, 24, 128], mask [N, 24]) out."""

    def __init__(self, work_dir: Path):
        super().__init__()
        self.clip_tokenizer = CLIPTokenizerFast.from_pretrained(work_dir / CLIP_FOLDER)
        self.llama_tokenizer = LlamaTokenizerFast.from_pretrained(work_dir / LLAMA_FOLDER)
        self.clip = make_clip(self.clip_tokenizer, CLIP_LENGTH)
        self.llama = LlamaModel(
            LlamaConfig(
                vocab_size=len(self.llama_tokenizer),
                hidden_size=LLAMA_WIDTH,
                intermediate_size=2 * LLAMA_WIDTH,
                num_hidden_layers=WORKING_LAYERS + SKIPPED_LAYERS,
                num_attention_heads=2,
                num_key_value_heads=2,
                max_position_embeddings=512,
                rope_theta=10_000.0,
                rms_norm_eps=1e-5,
                bos_token_id=self.llama_tokenizer.bos_token_id,
                eos_token_id=self.llama_tokenizer.eos_token_id,
                pad_token_id=self.llama_tokenizer.pad_token_id,
                use_cache=False,
            )
        )
        with torch.no_grad():
            for layer in self.llama.layers[WORKING_LAYERS:]:
                for parameter in layer.parameters():
                    parameter.zero_().requires_grad_(False)
        self._tokens = functools.lru_cache(maxsize=200_000)(self._tokenize)

    def _tokenize(self, prompt: str) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        options = {"padding": "max_length", "truncation": True, "return_tensors": "pt"}
        clip = self.clip_tokenizer(prompt, max_length=CLIP_LENGTH, **options).input_ids[0]
        llama = self.llama_tokenizer(TEMPLATE.format(prompt), max_length=DROPPED_TOKENS + TEXT_TOKENS, **options)
        return clip, llama.input_ids[0], llama.attention_mask[0]

    def forward(self, prompts: list[str]) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        clip, llama, mask = (torch.stack(column) for column in zip(*map(self._tokens, prompts)))
        pooled = self.clip(clip).pooler_output
        states = self.llama(input_ids=llama, attention_mask=mask, output_hidden_states=True).hidden_states
        return pooled, states[-(SKIPPED_LAYERS + 1)][:, DROPPED_TOKENS:], mask[:, DROPPED_TOKENS:]

    def vectors(self, prompts: list[str]) -> list[torch.Tensor]:
        """What each encoder makes of captions, as one vector."""
        pooled, sequence, mask = self(prompts)
        return [pooled, (sequence * mask[..., None]).sum(1) / mask.sum(1, keepdim=True)]


def pretrain(data: Data, work_dir: Path, samples: int, log: Log) -> None:
    """Trains both encoders on `samples` captions and keeps them in video_encoders.pt."""
    subjects = {emoji: number for number, emoji in enumerate(data.subjects)}
    motions, backgrounds = list(MOTIONS), list(BACKGROUNDS)

    def draw(rng: random.Random) -> tuple[str, list[int]]:
        clip = random_clip(data, rng)
        said = [subjects[clip.emoji], motions.index(clip.motion), backgrounds.index(clip.background)]
        return caption(data, clip, rng), said

    lesson = Lesson(draw, (CLIP_WIDTH, LLAMA_WIDTH), (len(subjects), len(motions), len(backgrounds)))
    path = work_dir / "video_encoders.pt"
    pretrain_encoders(lambda: VideoEncoders(work_dir), _begin_from_minilm, lesson, path, samples, log)


@torch.no_grad()
def _begin_from_minilm(encoders: VideoEncoders) -> None:
    pieces = encoders.llama_tokenizer.convert_ids_to_tokens(range(len(encoders.llama_tokenizer)))
    words = {n: piece.removeprefix("Ġ") for n, piece in enumerate(pieces) if len(piece) > 2}
    words = {n: word for n, word in words.items() if word.isalpha()}
    embedding = encoders.llama.embed_tokens.weight
    embedding.normal_(std=0.3)
    embedding[list(words)] = 0.3 * word_vectors(list(words.values()), LLAMA_WIDTH)
    begin_clip_from_minilm(encoders.clip, encoders.clip_tokenizer)


def load_pretrained(work_dir: Path) -> VideoEncoders:
    encoders = VideoEncoders(work_dir)
    encoders.load_state_dict(torch.load(work_dir / "video_encoders.pt", weights_only=False)["encoders"])
    return encoders
