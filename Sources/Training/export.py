"""From checkpoints to a folder as diffusers has it, in half precision.

    python -m Training.export --family flux --to Sources/DefaultModels/flux
"""

import argparse
import json
import warnings
from pathlib import Path

import torch

from .files import save_folder
from .pipelines import FAMILIES, make_pipeline


def export(family: str, work_dir: Path, folder: Path) -> dict[str, int]:
    """Writes the folder as diffusers does, in float16, with settings.json beside model_index.json."""
    pipeline, seen = make_pipeline(family, work_dir)

    def save(path: Path) -> None:
        pipeline.to(torch.float16).save_pretrained(path)
        for part in path.glob("*/config.json"):
            config = json.loads(part.read_text())
            if config.pop("_name_or_path", None):  # where the part was on this machine
                part.write_text(json.dumps(config, indent=2) + "\n")
        settings = FAMILIES[family].settings | FAMILIES[family].other_settings | {"samples_seen": seen}
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
    parser.add_argument("--family", choices=FAMILIES, default="flux")
    parser.add_argument("--to", type=Path, required=True, help="the folder to write; replaced if it exists")
    arguments = parser.parse_args()
    seen = export(arguments.family, arguments.work_dir, arguments.to)
    size = sum(file.stat().st_size for file in arguments.to.rglob("*") if file.is_file())
    print(f"{arguments.to}: {size / 1e6:.1f} MB, samples seen {seen}")


if __name__ == "__main__":
    warnings.filterwarnings("ignore")
    main()
