"""Makes a checkpoint of a family's real width with few blocks and random weights, to measure links and memory with: all
else, such as text encoders and autoencoder, is the default model's.

    python wide.py --family flux --to FOLDER [--blocks 1,1]

DiT has DiT-XL/2's width and depth.
"""

import argparse
import json
import shutil
from pathlib import Path

import torch
from diffusers import DiTTransformer2DModel, FluxTransformer2DModel, HunyuanVideoTransformer3DModel

MODELS = Path(__file__).parents[3] / "Sources/DefaultModels"
WIDE = {"num_attention_heads": 24, "attention_head_dim": 128}
FAMILIES = {"dit": (DiTTransformer2DModel, {"num_attention_heads": 16, "attention_head_dim": 72, "num_layers": 28}),
            "flux": (FluxTransformer2DModel, WIDE | {"axes_dims_rope": (16, 56, 56)}),
            "hunyuan": (HunyuanVideoTransformer3DModel, WIDE | {"rope_axes_dim": (16, 56, 56)})}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--family", choices=FAMILIES, required=True)
    parser.add_argument("--to", type=Path, required=True, help="a folder that does not exist yet")
    parser.add_argument("--blocks", default="1,1", help="double and single blocks of FLUX and HunyuanVideo (default: 1,1)")
    arguments = parser.parse_args()
    kind, sizes = FAMILIES[arguments.family]
    shutil.copytree(MODELS / arguments.family, arguments.to)
    folder = arguments.to / "transformer"
    config = json.loads((folder / "config.json").read_text())
    config |= sizes
    if arguments.family != "dit":
        config["num_layers"], config["num_single_layers"] = map(int, arguments.blocks.split(","))
    torch.manual_seed(0)
    model = kind.from_config(config).to(torch.bfloat16)
    if arguments.family == "dit":  # released checkpoints hold one embedder, once for each block
        for block in model.transformer_blocks:
            block.norm1.emb.load_state_dict(model.transformer_blocks[0].norm1.emb.state_dict())
    shutil.rmtree(folder)
    model.save_pretrained(folder)


if __name__ == "__main__":
    main()
