"""Pictures, words and captions: Noto Color Emoji with their CLDR names and keywords.

Everything comes from three Debian packages: fonts-noto-color-emoji (the pictures), unicode-data
(`emoji-test.txt`: which emoji there are) and unicode-cldr-core (English names and keywords).
A `Scene` says what a picture shows; `paint` draws it and `caption` puts it into words.
"""

import dataclasses
import json
import random
import re
import xml.etree.ElementTree as ElementTree
import zlib
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from .files import write_atomically

FONT = Path("/usr/share/fonts/truetype/noto/NotoColorEmoji.ttf")
EMOJI_TEST = Path("/usr/share/unicode/emoji/emoji-test.txt")
CLDR = Path("/usr/share/unicode/cldr/common")
SUBJECTS = Path(__file__).with_name("subjects.txt")
VIDEO_SUBJECTS = Path(__file__).with_name("video_subjects.txt")

SIZE = 128  # pixels of a side, the largest size anything is trained at
MARGIN = 2  # pixels kept free around a single object

BACKGROUNDS = {
    "white": (255, 255, 255),
    "red": (225, 60, 55),
    "orange": (245, 150, 50),
    "yellow": (250, 220, 80),
    "green": (80, 170, 85),
    "teal": (60, 165, 160),
    "light blue": (150, 205, 240),
    "blue": (65, 110, 205),
    "purple": (140, 90, 180),
    "pink": (245, 165, 195),
    "brown": (135, 95, 70),
    "gray": (150, 150, 150),
    "black": (25, 25, 25),
}

# relation -> (dx, dy) of the first object from the centre, in units of a quarter picture
RELATIONS = {"left of": (-1, 0), "right of": (1, 0), "above": (0, -1), "below": (0, 1)}
SCALES = {"": 1.0, "large": 1.0, "small": 0.45}
PAIR_SCALES = {"": 0.46, "large": 0.5, "small": 0.3}

HELD_OUT_PERCENT = 10


@dataclasses.dataclass(frozen=True)
class Emoji:
    """One emoji: its text, its names (the CLDR short name first) and its keywords."""

    text: str
    names: list[str]
    keywords: list[str]
    group: str
    subject: bool = False  # whether the default models learn to draw it
    mirrored: bool = False  # whether its mirror image shows the same thing


@dataclasses.dataclass(frozen=True)
class Object:
    """An emoji in a scene, by its index among all emoji."""

    emoji: int
    size: str = ""
    mirrored: bool = False


@dataclasses.dataclass(frozen=True)
class Scene:
    """What a picture shows: one object, or two of which the first stands in `relation` to the second."""

    objects: tuple[Object, ...]
    background: str = "white"
    relation: str = ""


class Data:
    """All emoji with their pictures; `subjects` are the indices of those the default models draw, `video_subjects` of
    those that move."""

    def __init__(self, work_dir: Path):
        if not (work_dir / "emoji.json").exists():
            build(work_dir)
        records = json.loads((work_dir / "emoji.json").read_text())
        self.emoji = [Emoji(**record) for record in records]
        self.pictures = np.load(work_dir / "emoji.npy")  # [count, SIZE, SIZE, 4] RGBA, uint8
        self.subjects = [index for index, emoji in enumerate(self.emoji) if emoji.subject]
        named = {self.name(index): index for index in self.subjects}
        lines = [line for line in VIDEO_SUBJECTS.read_text(encoding="utf-8").splitlines() if line and not line.startswith("#")]
        self.video_subjects = sorted(named[clean(line)] for line in lines)

    def name(self, emoji: int) -> str:
        return self.emoji[emoji].names[0]

    def is_held_out(self, emoji: int, background: str) -> bool:
        """Whether this pair is kept from the training of the transformer, for the evaluation."""
        if background == "white":
            return False
        return zlib.crc32(f"{self.name(emoji)}|{background}".encode()) % 100 < HELD_OUT_PERCENT

    def held_out_pairs(self) -> list[tuple[int, str]]:
        return [(emoji, colour) for emoji in self.subjects for colour in BACKGROUNDS if self.is_held_out(emoji, colour)]

    def paint(self, scene: Scene, size: int = SIZE) -> np.ndarray:
        """The picture of a scene, [size, size, 3], uint8."""
        canvas = Image.new("RGBa", (SIZE, SIZE), BACKGROUNDS[scene.background] + (255,))
        for place, item in enumerate(scene.objects):
            picture = Image.fromarray(self.pictures[item.emoji], "RGBA").convert("RGBa")
            if item.mirrored:
                picture = picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
            scale = (PAIR_SCALES if scene.relation else SCALES)[item.size]
            side = round(SIZE * scale)
            if side != SIZE:
                picture = picture.resize((side, side), Image.Resampling.LANCZOS)
            dx, dy = RELATIONS.get(scene.relation, (0, 0))
            sign = 1 if place == 0 else -1
            x = SIZE // 2 + sign * dx * SIZE // 4 - side // 2
            y = SIZE // 2 + sign * dy * SIZE // 4 - side // 2
            canvas = _over(picture, canvas, x, y)
        rgb = Image.fromarray(np.asarray(canvas)[..., :3])
        return np.asarray(rgb if size == SIZE else rgb.resize((size, size), Image.Resampling.BOX))

    def random_composition(self, rng: random.Random) -> Scene:
        """A scene beyond a single object at its full size: a sized one, or two objects."""

        def draw(size: str) -> Object:
            emoji = rng.choice(self.subjects)
            return Object(emoji, size, self.emoji[emoji].mirrored and rng.random() < 0.5)

        background = rng.choice(list(BACKGROUNDS)) if rng.random() < 0.7 else "white"
        if rng.random() < 0.3:
            scene = Scene((draw("small"),), background)
        else:
            sizes = rng.choice([("", ""), ("", ""), ("small", "large"), ("large", "small")])
            scene = Scene((draw(sizes[0]), draw(sizes[1])), background, rng.choice(list(RELATIONS)))
        if any(self.is_held_out(item.emoji, background) for item in scene.objects):
            return self.random_composition(rng)
        return scene

    def caption(self, scene: Scene, rng: random.Random) -> str:
        """Words for a scene, different ones each time."""
        words = [self.phrase(item, rng, plain=bool(scene.relation)) for item in scene.objects]
        text = words[0]
        if scene.relation:
            text = f"{words[0]} {rng.choice(_RELATION_WORDS[scene.relation])} {words[1]}"
            if scene.relation in ("left of", "right of") and rng.random() < 0.15:
                text = f"{words[0]} and {words[1]}"
        if rng.random() < 0.1:
            text = rng.choice(["a picture of ", "an emoji of ", "a drawing of "]) + text
        return with_background(text, scene.background, rng)

    def phrase(self, item: Object, rng: random.Random, plain: bool) -> str:
        """Words for one object; `plain` leaves out its keywords, for captions that are long already."""
        emoji = self.emoji[item.emoji]
        name = emoji.names[0] if rng.random() < 0.5 else rng.choice(emoji.names)
        article = rng.choice(["a ", "a ", "a ", "the ", "", ""])
        size = item.size + " " if item.size else ""
        if not item.size and not plain and rng.random() < 0.05:
            size = "large "
        kind = rng.random()
        if plain or not emoji.keywords or kind < 0.7:
            return article + size + name
        if kind < 0.92:
            return ", ".join([article + size + name, *rng.sample(emoji.keywords, min(len(emoji.keywords), rng.randint(1, 2)))])
        return size + ", ".join(rng.sample(emoji.keywords, min(len(emoji.keywords), 3)))


_RELATION_WORDS = {
    "left of": ["left of", "left of", "to the left of"],
    "right of": ["right of", "right of", "to the right of"],
    "above": ["above", "above", "over"],
    "below": ["below", "below", "under"],
}


def with_background(text: str, background: str, rng: random.Random) -> str:
    """Says the background, seldom if it is white; and makes "a" "an" where it has to be."""
    if background != "white" or rng.random() < 0.2:
        text += rng.choice([" on a {} background", " on a {} background", ", {} background", " on {}"]).format(background)
    return re.sub(r"\ba (?=[aeiou])", "an ", text)


def _over(picture: Image.Image, canvas: Image.Image, x: int, y: int) -> Image.Image:
    """Lays a picture with premultiplied alpha over an opaque canvas."""
    layer = Image.new("RGBa", canvas.size, (0, 0, 0, 0))
    layer.paste(picture, (x, y))
    above = np.asarray(layer).astype(np.uint16)
    below = np.asarray(canvas).astype(np.uint16)
    mixed = above + (below * (255 - above[..., 3:]) + 127) // 255
    return Image.frombuffer("RGBa", canvas.size, mixed.clip(0, 255).astype(np.uint8).tobytes(), "raw", "RGBa", 0, 1)


def clean(words: str) -> str:
    """Lower case, no punctuation but hyphens, single spaces."""
    return re.sub(r"\s+", " ", re.sub(r"[“”’‘\":()!,.]", " ", words.lower())).strip()


def build(work_dir: Path) -> None:
    """Renders all emoji (without skin-tone variants) and writes emoji.npy and emoji.json."""
    names, keywords = _annotations()
    chosen = _chosen_subjects()
    font = ImageFont.truetype(str(FONT), 109, layout_engine=ImageFont.Layout.RAQM)
    emoji, pictures, group = [], [], ""
    for line in EMOJI_TEST.read_text(encoding="utf-8").splitlines():
        if line.startswith("# group:"):
            group = line.partition(":")[2].strip()
        match = re.match(r"([0-9A-F ]+);\s*fully-qualified\s*#\s*\S+\s+E[\d.]+\s+(.*)", line)
        if not match:
            continue
        text = "".join(chr(int(code, 16)) for code in match[1].split())
        if re.search("[\U0001f3fb-\U0001f3ff]", text):
            continue
        picture = _render(text, font)
        if picture is None:
            continue
        short_name = match[2].strip()
        extra, mirrored = chosen.pop(short_name, (None, False))
        key = text.replace("\ufe0f", "")
        own_names = list(dict.fromkeys(map(clean, [short_name, *(extra or []), *names.get(key, [])])))
        own_keywords = sorted(set(map(clean, keywords.get(key, []))) - set(own_names) - {""})
        emoji.append(Emoji(text, own_names, own_keywords, group, extra is not None, mirrored))
        pictures.append(np.asarray(picture))
    if chosen:
        raise ValueError(f"subjects.txt names emoji that the font or emoji-test.txt lacks: {', '.join(chosen)}")
    work_dir.mkdir(parents=True, exist_ok=True)
    write_atomically(work_dir / "emoji.npy", lambda file: np.save(file, np.stack(pictures)))
    records = json.dumps([dataclasses.asdict(each) for each in emoji], ensure_ascii=False, indent=1)
    write_atomically(work_dir / "emoji.json", lambda file: file.write(records.encode()))


def _annotations() -> tuple[dict[str, list[str]], dict[str, list[str]]]:
    """English names and keywords of CLDR, by the emoji's text without variation selectors."""
    names: dict[str, list[str]] = {}
    keywords: dict[str, list[str]] = {}
    for folder in ("annotations", "annotationsDerived"):
        for locale in ("en", "en_001", "en_GB", "en_AU", "en_CA"):
            path = CLDR / folder / f"{locale}.xml"
            if not path.exists():
                continue
            for annotation in ElementTree.parse(path).iter("annotation"):
                words = (annotation.text or "").strip()
                if not words or "↑" in words:  # arrows: inherited from the parent locale
                    continue
                key = annotation.get("cp").replace("\ufe0f", "")
                if annotation.get("type") == "tts":
                    names.setdefault(key, []).append(words)
                else:
                    keywords.setdefault(key, []).extend(words.split("|"))
    return names, keywords


def _chosen_subjects() -> dict[str, tuple[list[str], bool]]:
    """subjects.txt: short name -> (other names, whether it may be mirrored)."""
    chosen = {}
    for line in SUBJECTS.read_text(encoding="utf-8").splitlines():
        if not line or line.startswith("#"):
            continue
        name, _, others = line.partition("|")
        chosen[name.strip().lstrip("!")] = ([o.strip() for o in others.split(",") if o.strip()], not line.startswith("!"))
    return chosen


def _render(text: str, font: ImageFont.FreeTypeFont) -> Image.Image | None:
    """One emoji in the middle of a transparent square; nothing if the font has no single glyph for it."""
    canvas = Image.new("RGBA", (400, 160), (0, 0, 0, 0))
    ImageDraw.Draw(canvas).text((0, 0), text, font=font, embedded_color=True)
    box = canvas.getbbox()
    if box is None or box[2] > 140:
        return None
    glyph = canvas.crop(box).convert("RGBa")
    scale = min(1, (SIZE - 2 * MARGIN) / max(glyph.size))
    if scale < 1:
        glyph = glyph.resize(tuple(max(1, round(side * scale)) for side in glyph.size), Image.Resampling.LANCZOS)
    square = Image.new("RGBa", (SIZE, SIZE), (0, 0, 0, 0))
    square.paste(glyph, ((SIZE - glyph.width) // 2, (SIZE - glyph.height) // 2))
    return square.convert("RGBA")
