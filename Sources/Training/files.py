"""Files that are whole or absent, whenever the process is killed; and a log."""

import json
import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

import torch


def write_atomically(path: Path, write: Callable[[BinaryIO], Any]) -> None:
    """Writes a temporary file, flushes it to the disk and renames it to `path`."""
    temporary = path.with_name(path.name + ".tmp")
    with open(temporary, "wb") as file:
        write(file)
        file.flush()
        os.fsync(file.fileno())
    os.replace(temporary, path)


def save_checkpoint(path: Path, state: dict[str, Any]) -> None:
    write_atomically(path, lambda file: torch.save(state, file))


def load_checkpoint(path: Path) -> dict[str, Any] | None:
    """The state saved last, or nothing."""
    return torch.load(path, weights_only=False) if path.exists() else None


class Log:
    """Appends one line of JSON an entry to `path` and prints it."""

    def __init__(self, path: Path):
        self.path = path

    def __call__(self, stage: str, **values: Any) -> None:
        entry = {"time": time.strftime("%Y-%m-%d %H:%M:%S"), "stage": stage}
        entry |= {key: float(f"{value:.5g}") if isinstance(value, float) else value for key, value in values.items()}
        line = json.dumps(entry)
        print(line, flush=True)
        with open(self.path, "a") as file:
            file.write(line + "\n")


def save_folder(folder: Path, save: Callable[[Path], Any]) -> None:
    """Lets `save` fill a new folder and puts it in the place of `folder`."""
    temporary, old = folder.with_name(folder.name + ".tmp"), folder.with_name(folder.name + ".old")
    for leftover in (temporary, old):
        shutil.rmtree(leftover, ignore_errors=True)
    save(temporary)
    if folder.exists():
        folder.rename(old)
    temporary.rename(folder)
    shutil.rmtree(old, ignore_errors=True)


class Timer:
    """Says once every `seconds` that it is time; time spent stopped counts as time."""

    def __init__(self, seconds: float):
        self.seconds = seconds
        self.last = time.monotonic()

    def __call__(self) -> bool:
        if time.monotonic() - self.last < self.seconds:
            return False
        self.last = time.monotonic()
        return True
