"""Makes cases.json: tokenizers with many options, and the ids that transformers' fast tokenizers give.

    python make.py      # transformers 4.57.6, tokenizers 0.22.2, sentencepiece, protobuf

A case is a folder: `files` are JSON documents to write into it, `copies` are files of ../reference/checkpoints to copy.
"""

import json
import os
import random
import shutil
import tempfile

from tokenizers import AddedToken, Regex, Tokenizer, models
from tokenizers import normalizers as N
from tokenizers import pre_tokenizers as P
from tokenizers import processors as X
from tokenizers import trainers
from transformers import CLIPTokenizerFast, PreTrainedTokenizerFast, T5TokenizerFast

HERE = os.path.dirname(os.path.abspath(__file__))
CHECKPOINT = os.path.join(HERE, "../reference/checkpoints/flux-dev-tiny")
random_source = random.Random(1)

# Text to train with and to encode.

WORDS = (
    "a photo of the cat that holds sign hello World the cat's DON'T we'll I've they're I'm 'S 'Re 42 3.14 1234567 x² ½ ⅷ ٣ "
    "naïve café Ångström ﬁ ﬃ ß İstanbul ΣΊΣΥΦΟΣ 東京の夜景 한국어 ไทย हिन्दी क्षि বাংলা עברית العربية ﷺ … — “q” 🐱 👩‍👩‍👧 👍🏽 🇫🇷 "
    "e\u0301 a\u0308\u0323 \u1100\u1161\u11a8 \u200b \u200d \ufeff \u00ad \u2028 \u0085 \u3000 ▁ ▁▁ <|endoftext|> <|startoftext|> "
    "<|ENDOFTEXT|> </s> <pad> <unk> <s> <extra_id_0> <extra_id_99> <|begin_of_text|> <|eot_id|> Ġ <0x0A> '\u017f aaaaaaa \r\n \n \t"
).split(" ")
SPACES = [" ", " ", " ", "  ", "   ", "\n", "\r\n", "\t", "\u00a0", "\u3000", "\x0b", "\x1c", "\x85", "\u200b", "", "", ""]


def character():
    ranges = [(0, 0x80), (0x80, 0x600), (0x300, 0x370), (0x900, 0xE00), (0x1100, 0x1200), (0x1F1E6, 0x1F650)]
    ranges += [(0xF900, 0x10000), (0x3000, 0xD800), (0x10000, 0x20000), (0x10000, 0x110000)]
    return chr(random_source.randrange(*random_source.choice(ranges)))


def string():
    kind = random_source.random()
    parts = []
    for _ in range(random_source.randrange(1, 9)):
        if kind < 0.5:
            parts += [random_source.choice(WORDS), random_source.choice(SPACES)]
        else:
            parts.append(random_source.choice([character(), random_source.choice(WORDS), random_source.choice(SPACES)]))
    return "".join(parts)


STRINGS = ["", " ", "a", "hello  world ", "aaaaaaaaaaaaaaaaaaaaa", "   \n\n  x"] + [string() for _ in range(120)]
CORPUS = [" ".join(random_source.choice(WORDS) for _ in range(12)) for _ in range(500)]

CASES = []


def add(name, kind, files, copies=()):
    folder = tempfile.mkdtemp()
    for file, content in files.items():
        with open(os.path.join(folder, file), "w") as out:
            json.dump(content, out)
    for copy in copies:
        shutil.copy(os.path.join(CHECKPOINT, copy), folder)
    tokenizer = kind.from_pretrained(folder)
    ids = [tokenizer(string)["input_ids"] for string in STRINGS]
    CASES.append({"name": name, "files": files, "copies": list(copies), "ids": ids})
    shutil.rmtree(folder)


def trained(name, tokenizer, trainer, added=(), configuration={}, change=None):
    tokenizer.train_from_iterator(CORPUS, trainer)
    tokenizer.add_tokens(list(added))
    document = json.loads(tokenizer.to_str())
    if change:
        change(document)
    configuration = {"tokenizer_class": "PreTrainedTokenizerFast", **configuration}
    add(name, PreTrainedTokenizerFast, {"tokenizer.json": document, "tokenizer_config.json": configuration})


def bpe(name, normalizer, pre, post=None, special=(), size=330, added=(), configuration={}, change=None, train={}, **model):
    tokenizer = Tokenizer(models.BPE(**model))
    if normalizer:
        tokenizer.normalizer = normalizer
    if pre:
        tokenizer.pre_tokenizer = pre
    if post:
        tokenizer.post_processor = post
    special = ["<unk>", "<s>", "</s>"] + list(special)
    trainer = trainers.BpeTrainer(vocab_size=size, special_tokens=special, show_progress=False, **train)
    trained(name, tokenizer, trainer, added, configuration, change)


def unigram(name, normalizer, pre, post=None, change=None):
    tokenizer = Tokenizer(models.Unigram())
    if normalizer:
        tokenizer.normalizer = normalizer
    if pre:
        tokenizer.pre_tokenizer = pre
    if post:
        tokenizer.post_processor = post
    special = ["<unk>", "<s>", "</s>"]
    trainer = trainers.UnigramTrainer(
        vocab_size=260, special_tokens=special, unk_token="<unk>", show_progress=False)
    trained(name, tokenizer, trainer, change=change)


def template(text):
    return X.TemplateProcessing(single=text, special_tokens=[("<s>", 1), ("</s>", 2)])


BYTES = {"initial_alphabet": P.ByteLevel.alphabet()}
QWEN = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+")
FALLBACK = [f"<0x{i:02X}>" for i in range(256)]

bpe("byte level as in GPT-2", None, P.ByteLevel(add_prefix_space=True), X.ByteLevel(trim_offsets=True), train=BYTES)
bpe("byte level with a space put first", N.NFKC(), P.ByteLevel(add_prefix_space=True), template("<s> $A </s> </s>"),
    train=BYTES, configuration={"add_prefix_space": True})
bpe("byte level with added tokens of all kinds", N.NFD(),
    P.Sequence([P.Digits(individual_digits=True), P.ByteLevel(add_prefix_space=False)]),
    X.Sequence([X.RobertaProcessing(("</s>", 2), ("<s>", 1)), X.ByteLevel()]), train=BYTES,
    added=[AddedToken("cat", single_word=True), AddedToken("hello", lstrip=True), AddedToken("World", rstrip=True),
           AddedToken("é", normalized=True), AddedToken("aa", normalized=False)])
bpe("byte level as in Qwen 2", N.NFC(),
    P.Sequence([P.Split(Regex(QWEN), "isolated"), P.ByteLevel(add_prefix_space=False, use_regex=False)]), train=BYTES)
bpe("words that are whole tokens", None,
    P.Sequence([P.Split(Regex(QWEN), "isolated"), P.ByteLevel(add_prefix_space=False, use_regex=False)]), train=BYTES,
    change=lambda document: document["model"].update(ignore_merges=True))
bpe("merges as texts", None, P.ByteLevel(add_prefix_space=False), train=BYTES,
    change=lambda document: document["model"].update(merges=[" ".join(pair) for pair in document["model"]["merges"]]))
bpe("metaspace without accents", N.Sequence([N.NFKD(), N.StripAccents(), N.Lowercase(), N.Strip()]), P.Metaspace(),
    unk_token="<unk>", fuse_unk=True, size=200)
bpe("metaspace at the beginning only", N.Replace("e", "E!"), P.Metaspace(prepend_scheme="first"), unk_token="<unk>",
    size=200, added=[AddedToken("the"), AddedToken("  x", normalized=False)])
bpe("metaspace without split", None, P.Metaspace(prepend_scheme="never", split=False), unk_token="<unk>", size=250,
    train={"max_token_length": 6})
bpe("bytes for unknown characters as in Llama 2", N.Sequence([N.Prepend("▁"), N.Replace(" ", "▁")]), None,
    unk_token="<unk>", fuse_unk=True, byte_fallback=True, special=FALLBACK, size=480, train={"max_token_length": 8})
bpe("some bytes for unknown characters", N.Sequence([N.Prepend("▁"), N.Replace(" ", "▁")]), None, unk_token="<unk>",
    byte_fallback=True, special=FALLBACK[100:200], size=380, train={"max_token_length": 8, "limit_alphabet": 60})
bpe("prefix and suffix", N.NFC(), P.Whitespace(), unk_token="<unk>", continuing_subword_prefix="##",
    end_of_word_suffix="</w>", size=300, train={"continuing_subword_prefix": "##", "end_of_word_suffix": "</w>"})
bpe("white space, punctuation and digits", None, P.Sequence([P.WhitespaceSplit(), P.Punctuation(), P.Digits()]), size=250,
    train={"end_of_word_suffix": "</w>"}, end_of_word_suffix="</w>")
for behavior in ["removed", "isolated", "merged_with_previous", "merged_with_next", "contiguous"]:
    bpe(f"splits {behavior}", None,
        P.Sequence([P.Punctuation(behavior), P.Split(Regex(r"\s+"), behavior), P.Split("e", behavior, invert=True)]),
        unk_token="<unk>", size=170)

unigram("unigram", N.NFKC(), P.Metaspace())
unigram("unigram split at white space", None, P.Sequence([P.WhitespaceSplit(), P.Metaspace()]), template("$A </s>"))
unigram("unigram without split", N.Lowercase(), None)


def add_bytes(document):
    document["model"]["vocab"] += [[token, -20.0] for token in FALLBACK]
    document["model"]["byte_fallback"] = True


def make_positive(document):
    for piece in document["model"]["vocab"]:
        piece[1] = abs(piece[1]) * 2


unigram("unigram with bytes", None, P.Metaspace(), change=add_bytes)
unigram("unigram with positive scores", None, P.Metaspace(), change=make_positive)

T5 = ["tokenizer_2/spiece.model"]
with open(os.path.join(CHECKPOINT, "tokenizer_2/tokenizer_config.json")) as file:
    T5_CONFIGURATION = json.load(file)
add("T5 of the model file alone", T5TokenizerFast, {}, T5)
add("T5 that is not legacy", T5TokenizerFast, {"tokenizer_config.json": {"legacy": False}}, T5)
add("T5 without space put first", T5TokenizerFast, {"tokenizer_config.json": {"add_prefix_space": False}}, T5)
add("T5 with five extra ids", T5TokenizerFast, {"tokenizer_config.json": {"extra_ids": 5}}, T5)
add("T5 with its configuration", T5TokenizerFast, {}, T5 + ["tokenizer_2/tokenizer_config.json"])
add("T5 with its map of special tokens", T5TokenizerFast, {}, T5 + ["tokenizer_2/special_tokens_map.json"])

CLIP = ["tokenizer/vocab.json", "tokenizer/merges.txt"]
BEGIN = {"content": "<|startoftext|>", "lstrip": False, "normalized": False, "rstrip": True, "single_word": False}
END = {"content": "<|endoftext|>", "lstrip": False, "normalized": True, "rstrip": False, "single_word": True}
CAT = {"content": "Cat", "lstrip": True, "normalized": True, "rstrip": False, "single_word": True, "special": False}
add("CLIP of the bare files", CLIPTokenizerFast, {}, CLIP)
add("CLIP with its map of special tokens", CLIPTokenizerFast, {}, CLIP + ["tokenizer/special_tokens_map.json"])
add("CLIP padded by !", CLIPTokenizerFast, {"tokenizer_config.json": {"pad_token": "!"}}, CLIP)
add("CLIP with new special tokens", CLIPTokenizerFast,
    {"tokenizer_config.json": {"pad_token": "<pad>", "additional_special_tokens": ["the", "<x y>"]}}, CLIP)
add("CLIP with added_tokens.json", CLIPTokenizerFast, {"added_tokens.json": {"<s>": 814, "Hello": 815}}, CLIP)
add("CLIP with tokens by id", CLIPTokenizerFast,
    {"tokenizer_config.json": {"added_tokens_decoder": {
        "812": {**BEGIN, "special": True}, "813": {**END, "special": True}, "814": CAT}}}, CLIP)
folder = tempfile.mkdtemp()
CLIPTokenizerFast.from_pretrained(os.path.join(CHECKPOINT, "tokenizer")).save_pretrained(folder)
with open(os.path.join(folder, "tokenizer.json")) as file:
    document = json.load(file)
shutil.rmtree(folder)
add("CLIP as tokenizer.json", CLIPTokenizerFast, {"tokenizer.json": document}, ["tokenizer/tokenizer_config.json"])

with open(os.path.join(HERE, "cases.json"), "w") as file:
    file.write('{"strings": ' + json.dumps(STRINGS) + ',\n"cases": [\n')
    file.write(",\n".join(json.dumps(case, separators=(",", ":")) for case in CASES) + "]}\n")
