"""What the scripts that `Benchmarks` starts have in common: options, and work that is timed when it is asked for."""

import argparse
import sys
import time
from collections.abc import Callable

import torch


def parser(description: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dtype", choices=["float32", "bfloat16"], default="bfloat16")
    parser.add_argument("--compile", action="store_true")
    parser.add_argument("--threads", type=int, default=1)
    return parser


def prepare(arguments: argparse.Namespace) -> torch.dtype:
    """Sets threads and seed; the type to compute in."""
    torch.set_num_threads(arguments.threads)
    torch.manual_seed(0)
    return getattr(torch, arguments.dtype)


def serve(work: Callable[[], object], *versions: str) -> None:
    """Prints "ready" with versions when the work is warm, then one time in seconds for each line that is read."""
    with torch.inference_mode():
        work()
        work()
        print("ready", torch.__version__, *versions, flush=True)
        for _ in sys.stdin:
            start = time.perf_counter()
            work()
            print(time.perf_counter() - start, flush=True)
