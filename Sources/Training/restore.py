"""From an exported model back to checkpoints, so that training goes on where the work directory is gone.

    python -m Training.restore --from Sources/DefaultModels/flux --work-dir .training

The optimisers begin anew, and the weights were rounded to float16: the loss is a little higher for some hundred steps.
"""

import argparse
import json
import warnings
from pathlib import Path

import torch
from diffusers import FluxPipeline

from .files import save_checkpoint, save_folder


def restore(folder: Path, work_dir: Path) -> dict[str, int]:
    """Writes the checkpoints of all stages that `folder` has been through; the samples seen by stage."""
    seen = json.loads((folder / "settings.json").read_text())["samples_seen"]
    pipeline = FluxPipeline.from_pretrained(folder, torch_dtype=torch.float32)
    work_dir.mkdir(parents=True, exist_ok=True)
    pipeline.tokenizer.save_pretrained(work_dir / "tokenizer")
    pipeline.tokenizer_2.save_pretrained(work_dir / "tokenizer_2")
    save_folder(work_dir / "autoencoder", lambda path: pipeline.vae.save_pretrained(path))
    vae = pipeline.vae.state_dict()
    for stage in ("autoencoder", "decoder"):
        if stage in seen:
            save_checkpoint(work_dir / f"{stage}.pt", {"model": vae, "average": vae, "samples": seen[stage]})
    encoders = {f"clip.{name}": value for name, value in pipeline.text_encoder.state_dict().items()}
    encoders |= {f"t5.{name}": value for name, value in pipeline.text_encoder_2.state_dict().items()}
    save_checkpoint(work_dir / "text_encoders.pt", {"encoders": encoders, "samples": seen.get("text", 0)})
    model = {f"encoders.{name}": value for name, value in encoders.items()}
    model |= {f"transformer.{name}": value for name, value in pipeline.transformer.state_dict().items()}
    stages = {name: samples for name, samples in seen.items() if name not in ("autoencoder", "decoder", "text")}
    save_checkpoint(work_dir / "flux.pt", {"model": model, "average": model, "seen": stages})
    return seen


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--from", dest="folder", type=Path, required=True, help="the exported model")
    parser.add_argument("--work-dir", type=Path, default=Path(".training"))
    arguments = parser.parse_args()
    if (arguments.work_dir / "flux.pt").exists():
        parser.error(f"{arguments.work_dir} holds a training already; move it away first")
    print(f"{arguments.work_dir}: samples seen {restore(arguments.folder, arguments.work_dir)}")


if __name__ == "__main__":
    warnings.filterwarnings("ignore")
    main()
