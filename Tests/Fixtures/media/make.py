"""Makes the files of this folder: PNGs of every kind with their pixels as Pillow reads them, and numbers of scikit-image.

    python make.py            # needs numpy, Pillow and scikit-image
    python make.py preview    # needs numpy and torch

NAME.rgb holds the pixels of NAME.png as interleaved 8-bit RGB, over white where there is transparency.
"""

import json
import struct
import sys
import zlib

import numpy as np

random = np.random.default_rng(20)
if "preview" not in sys.argv:
    from PIL import Image, PngImagePlugin
    from skimage.metrics import mean_squared_error, peak_signal_noise_ratio, structural_similarity


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def write_png(name, samples, colour_type, depth, interlaced=False):
    """Writes what Pillow cannot: 16 bits of RGB, and Adam7. `samples` is [height, width, channels]."""
    height, width, _ = samples.shape
    big = samples.astype(">u2" if depth == 16 else "u1")

    def rows(part):
        return b"".join(b"\0" + row.tobytes() for row in part) if part.size else b""

    if interlaced:
        passes = [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)]
        raw = b"".join(rows(big[y::dy, x::dx]) for x, y, dx, dy in passes)
    else:
        raw = rows(big)
    header = struct.pack(">IIBBBBB", width, height, depth, colour_type, 0, 0, int(interlaced))
    with open(name + ".png", "wb") as file:
        file.write(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(raw)) + chunk(b"IEND", b""))


def write_rgb(name, pixels=None):
    """The golden pixels: those given, or what Pillow reads."""
    if pixels is None:
        picture = Image.open(name + ".png")
        picture.load()
        if picture.mode in ("RGBA", "LA", "PA") or "transparency" in picture.info:
            picture = picture.convert("RGBA")
            sheet = Image.new("RGB", picture.size, (255, 255, 255))
            sheet.paste(picture, mask=picture.getchannel("A"))
            picture = sheet
        pixels = np.asarray(picture.convert("RGB"))
    with open(name + ".rgb", "wb") as file:
        file.write(np.ascontiguousarray(pixels, dtype=np.uint8).tobytes())


def kinds():
    noise = random.integers(0, 256, (9, 13, 4), dtype=np.uint8)
    rgb = Image.fromarray(noise[:, :, :3])
    rgb.save("rgb.png")
    Image.fromarray(noise).save("rgba.png")
    Image.fromarray(noise[:, :, 0]).save("grey.png")
    Image.fromarray(noise[:, :, :2], "LA").save("grey-alpha.png")
    Image.fromarray(noise[:, :, 0] > 127).save("grey-1bit.png")
    palette = rgb.quantize(11)
    palette.save("palette.png")
    palette.save("palette-transparent.png", transparency=bytes([0, 255, 40, 128, 200]))
    write_png("interlaced", noise[:, :, :3], colour_type=2, depth=8, interlaced=True)
    write_png("interlaced-alpha", noise, colour_type=6, depth=8, interlaced=True)
    for name in ("rgb rgba grey grey-alpha grey-1bit palette palette-transparent interlaced interlaced-alpha").split():
        write_rgb(name)
    # Pillow takes the high byte of 16 bits; these are to be rounded, so the pixels come from the definition.
    deep = random.integers(0, 65536, (9, 13, 3), dtype=np.uint16)
    write_png("rgb-16bit", deep, colour_type=2, depth=16)
    write_rgb("rgb-16bit", np.rint(deep.astype(np.float64) * 255 / 65535))
    grey = deep[:, :, :1]
    write_png("grey-16bit", grey, colour_type=0, depth=16)
    write_rgb("grey-16bit", np.repeat(np.rint(grey.astype(np.float64) * 255 / 65535), 3, axis=2))


def texts():
    info = PngImagePlugin.PngInfo()
    info.add_text("parameters", "a caf\u00e9\nSteps: 4, Sampler: Euler, Seed: 7")
    info.add_itxt("Title", "\u732b \U0001f408", lang="ja", tkey="\u984c")
    info.add_text("Comment", "packed " * 40, zip=True)
    info.add_itxt("Description", "packed too", zip=True)
    Image.new("RGB", (2, 2), (1, 2, 3)).save("texts.png", pnginfo=info)


def metrics():
    y, x = np.mgrid[0:37, 0:48]
    base = np.stack([x * 5, y * 6, (x * y) % 256], axis=2) % 256
    first = base.astype(np.uint8)
    second = np.clip(base + random.normal(0, 12, base.shape), 0, 255).astype(np.uint8)
    Image.fromarray(first).save("compare-a.png")
    Image.fromarray(second).save("compare-b.png")

    def numbers(a, b):
        return {
            "width": a.shape[1],
            "height": a.shape[0],
            "mse": float(mean_squared_error(a, b)),
            "psnr": float(peak_signal_noise_ratio(a, b, data_range=255)),
            "ssim": float(
                structural_similarity(
                    a, b, gaussian_weights=True, sigma=1.5, use_sample_covariance=False, data_range=255, channel_axis=2
                )
            ),
            "mean": float(np.abs(a.astype(int) - b.astype(int)).mean()),
            "maximum": int(np.abs(a.astype(int) - b.astype(int)).max()),
        }

    # The whole pictures, parts with sides of the smallest size.
    cases = [numbers(first[:h, :w], second[:h, :w]) for w, h in ((48, 37), (11, 11), (48, 11), (12, 37))]
    with open("compare.json", "w") as file:
        json.dump(cases, file, indent=1)
        file.write("\n")


def preview():
    import torch

    values = torch.from_numpy(random.normal(0, 0.7, (3, 3, 4)).astype(np.float32))
    large = torch.nn.functional.interpolate(((values + 1) * 127.5).clamp(0, 255)[None], scale_factor=5, mode="bilinear")[0]
    with open("preview.json", "w") as file:
        json.dump({"values": values.flatten().tolist(), "bilinear": [round(v, 2) for v in large.flatten().tolist()]}, file)
        file.write("\n")


if "preview" in sys.argv:
    preview()
else:
    kinds()
    texts()
    metrics()
