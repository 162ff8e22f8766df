"""Makes a checkpoint of a family's real width with few blocks and random weights, to measure links and memory with: all
else, such as text encoders and autoencoder, is the default model's.

    python wide.py --family flux --to FOLDER [--blocks 1,1]
"""

import argparse
import json
import shutil
from pathlib import Path

import torch
from diffusers import FluxTransformer2DModel, HunyuanVideoTransformer3DModel

MODELS = Path(__file__).parents[3] / "Sources/DefaultModels"
HEADS, HEAD_WIDTH = 24, 128
FAMILIES = {"flux": (FluxTransformer2DModel, (16, 56, 56), "axes_dims_rope"),
            "hunyuan": (HunyuanVideoTransformer3DModel, (16, 56, 56), "rope_axes_dim")}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--family", choices=FAMILIES, required=True)
    parser.add_argument("--to", type=Path, required=True, help="a folder that does not exist yet")
    parser.add_argument("--blocks", default="1,1", help="double and single blocks (default: 1,1)")
    arguments = parser.parse_args()
    kind, axes, axes_name = FAMILIES[arguments.family]
    shutil.copytree(MODELS / arguments.family, arguments.to)
    folder = arguments.to / "transformer"
    config = json.loads((folder / "config.json").read_text())
    double, single = map(int, arguments.blocks.split(","))
    config |= {"num_attention_heads": HEADS, "attention_head_dim": HEAD_WIDTH, axes_name: axes,
               "num_layers": double, "num_single_layers": single}
    torch.manual_seed(0)
    model = kind.from_config(config).to(torch.bfloat16)
    shutil.rmtree(folder)
    model.save_pretrained(folder)


if __name__ == "__main__":
    main()
