"""From an exported model back to checkpoints, so that training goes on where the work directory is gone.

    python -m Training.restore --family flux --from Sources/DefaultModels/flux --work-dir .training

The optimisers begin anew, and the weights were rounded to float16: the loss is a little higher for some hundred steps.
A second family joins the first in the same work directory if both have the same autoencoder.
"""

import argparse
import json
import warnings
from pathlib import Path

import torch
from diffusers import AutoencoderKL, DiTPipeline, FluxPipeline, HunyuanVideoPipeline

from .files import load_checkpoint, save_checkpoint, save_folder
from .pipelines import FAMILIES
from .video_autoencoder import FOLDER as VIDEO_AUTOENCODER_FOLDER
from .video_encoders import CLIP_FOLDER, LLAMA_FOLDER


def restore(family: str, folder: Path, work_dir: Path) -> dict[str, int]:
    """Writes the checkpoints of all stages that `folder` has been through; the samples seen by stage."""
    seen = json.loads((folder / "settings.json").read_text())["samples_seen"]
    pipeline = FAMILIES[family].pipeline.from_pretrained(folder, torch_dtype=torch.float32)
    work_dir.mkdir(parents=True, exist_ok=True)
    _RESTORE[family](pipeline, seen, work_dir)
    return seen


def _flux(pipeline: FluxPipeline, seen: dict[str, int], work_dir: Path) -> None:
    _autoencoder(pipeline.vae, seen, work_dir)
    pipeline.tokenizer.save_pretrained(work_dir / "tokenizer")
    pipeline.tokenizer_2.save_pretrained(work_dir / "tokenizer_2")
    encoders = _under("clip", pipeline.text_encoder) | _under("t5", pipeline.text_encoder_2)
    save_checkpoint(work_dir / "text_encoders.pt", {"encoders": encoders, "samples": seen.get("text", 0)})
    model = {f"encoders.{name}": value for name, value in encoders.items()} | _under("transformer", pipeline.transformer)
    _transformer(work_dir / "flux.pt", model, seen, "autoencoder", "decoder", "text")


def _dit(pipeline: DiTPipeline, seen: dict[str, int], work_dir: Path) -> None:
    _autoencoder(pipeline.vae, seen, work_dir)
    _transformer(work_dir / "dit.pt", _under("transformer", pipeline.transformer), seen, "autoencoder", "decoder")


def _video(pipeline: HunyuanVideoPipeline, seen: dict[str, int], work_dir: Path) -> None:
    weights = pipeline.vae.state_dict()
    save_folder(work_dir / VIDEO_AUTOENCODER_FOLDER, lambda path: pipeline.vae.save_pretrained(path))
    kept = {"model": weights, "average": weights, "samples": seen["video-autoencoder"]}
    save_checkpoint(work_dir / "video_autoencoder.pt", kept)
    pipeline.tokenizer.save_pretrained(work_dir / LLAMA_FOLDER)
    pipeline.tokenizer_2.save_pretrained(work_dir / CLIP_FOLDER)
    encoders = _under("llama", pipeline.text_encoder) | _under("clip", pipeline.text_encoder_2)
    save_checkpoint(work_dir / "video_encoders.pt", {"encoders": encoders, "samples": seen["video-text"]})
    model = {f"encoders.{name}": value for name, value in encoders.items()} | _under("transformer", pipeline.transformer)
    _transformer(work_dir / "video.pt", model, seen, "video-autoencoder", "video-text")


_RESTORE = {"flux": _flux, "dit": _dit, "video": _video}


def _under(name: str, module: torch.nn.Module) -> dict[str, torch.Tensor]:
    return {f"{name}.{key}": value for key, value in module.state_dict().items()}


def _transformer(path: Path, model: dict[str, torch.Tensor], seen: dict[str, int], *others: str) -> None:
    stages = {name: samples for name, samples in seen.items() if name not in others}
    save_checkpoint(path, {"model": model, "average": model, "seen": stages})


def _autoencoder(vae: AutoencoderKL, seen: dict[str, int], work_dir: Path) -> None:
    """Writes the autoencoder, unless it is there already; that of a DiT does not say the shift of its latents."""
    weights = vae.state_dict()
    present = load_checkpoint(work_dir / "autoencoder.pt")
    if present is not None:
        kept = present["average"]
        if any(not torch.equal(kept[name].half(), weights[name].half()) for name in weights if "encoder" in name):
            raise SystemExit(f"{work_dir} holds another autoencoder, whose latents mean other pictures.")
        return
    if vae.config.shift_factor is None:
        raise SystemExit("An autoencoder of a DiT does not say the shift of the latents; restore FLUX first.")
    save_folder(work_dir / "autoencoder", lambda path: vae.save_pretrained(path))
    for stage in ("autoencoder", "decoder"):
        if stage in seen:
            save_checkpoint(work_dir / f"{stage}.pt", {"model": weights, "average": weights, "samples": seen[stage]})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--family", choices=_RESTORE, default="flux")
    parser.add_argument("--from", dest="folder", type=Path, required=True, help="the exported model")
    parser.add_argument("--work-dir", type=Path, default=Path(".training"))
    arguments = parser.parse_args()
    if (arguments.work_dir / f"{arguments.family}.pt").exists():
        parser.error(f"{arguments.work_dir} holds a training of {arguments.family} already; move it away first")
    print(f"{arguments.work_dir}: samples seen {restore(arguments.family, arguments.folder, arguments.work_dir)}")


if __name__ == "__main__":
    warnings.filterwarnings("ignore")
    main()
