"""From checkpoints to a diffusers pipeline, in memory or as a folder in half precision.

    python -m Training.export --to Sources/DefaultModels/flux
"""

import argparse
import json
import warnings
from pathlib import Path

import torch
from diffusers import FlowMatchEulerDiscreteScheduler, FluxPipeline
from transformers import CLIPTokenizer, T5TokenizerFast

from . import autoencoder
from .data import SIZE
from .files import load_checkpoint, save_folder
from .text_encoders import T5_LENGTH
from .transformer import averaged_model

# What the model was trained for; diffusers wants these as arguments of the call.
SETTINGS = {
    "num_inference_steps": 50,
    "true_cfg_scale": 3.0,
    "negative_prompt": "",
    "height": SIZE,
    "width": SIZE,
    "max_sequence_length": T5_LENGTH,
}


def make_pipeline(work_dir: Path) -> tuple[FluxPipeline, dict[str, int]]:
    """The pipeline of the last checkpoint in float32, and the samples seen by stage."""
    model, seen = averaged_model(work_dir)
    for stage in ("autoencoder", "text_encoders", "decoder"):
        state = load_checkpoint(work_dir / f"{stage}.pt")
        if state:
            seen = {stage.removesuffix("_encoders"): state["samples"]} | seen
    pipeline = FluxPipeline(
        scheduler=FlowMatchEulerDiscreteScheduler(shift=1.0, use_dynamic_shifting=False),
        vae=autoencoder.load(work_dir).to(memory_format=torch.contiguous_format),
        text_encoder=model.encoders.clip,
        tokenizer=CLIPTokenizer.from_pretrained(work_dir / "tokenizer"),
        text_encoder_2=model.encoders.t5,
        tokenizer_2=T5TokenizerFast.from_pretrained(work_dir / "tokenizer_2"),
        transformer=model.transformer,
    )
    pipeline.set_progress_bar_config(disable=True)
    return pipeline, seen


def export(work_dir: Path, folder: Path) -> dict[str, int]:
    """Writes the folder as diffusers does, in float16, with settings.json beside model_index.json."""
    pipeline, seen = make_pipeline(work_dir)

    def save(path: Path) -> None:
        pipeline.to(torch.float16).save_pretrained(path)
        settings = SETTINGS | {"samples_seen": seen}
        (path / "settings.json").write_text(json.dumps(settings, indent=2) + "\n")
        card = folder / "MODEL_CARD.md"
        if card.exists():
            (path / card.name).write_bytes(card.read_bytes())

    folder.parent.mkdir(parents=True, exist_ok=True)
    save_folder(folder, save)
    return seen


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work-dir", type=Path, default=Path(".training"))
    parser.add_argument("--to", type=Path, required=True, help="the folder to write; replaced if it exists")
    arguments = parser.parse_args()
    seen = export(arguments.work_dir, arguments.to)
    size = sum(file.stat().st_size for file in arguments.to.rglob("*") if file.is_file())
    print(f"{arguments.to}: {size / 1e6:.1f} MB, samples seen {seen}")


if __name__ == "__main__":
    warnings.filterwarnings("ignore")
    main()
