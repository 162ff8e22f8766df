#!/usr/bin/env python3
"""Renders with workers of this machine and says what each took of memory at most, beside what `clusca plan` says.

    memory.py [--clusca PROGRAM] WORKERS [OPTION…]      e.g. memory.py 2 --model FLUX.1-dev --dtype bf16 --prompt "a cat"

Options are those of `clusca generate`. Workers that compute nothing are shown with a stage that they do not have.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time


def workers() -> dict[int, int]:
    """The most bytes that each worker's process has had in memory."""
    peaks = {}
    for process in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{process}/cmdline") as file:
                words = file.read().split("\0")
            if len(words) < 2 or not words[0].endswith("clusca") or words[1] != "worker":
                continue
            with open(f"/proc/{process}/status") as file:
                peak = next(line for line in file if line.startswith("VmHWM"))
            peaks[int(process)] = int(peak.split()[1]) * 1024
        except (OSError, StopIteration):
            continue
    return peaks


def planned(clusca: str, count: int, options: list[str], folder: str) -> list[dict]:
    description = f"{folder}/workers.json"
    with open(description, "w") as file:
        json.dump([{"name": f"w{number}", "gflops": 100, "memory": "1 TB", "link": "10 Gbit/s"}
                   for number in range(count)], file)
    # A plan is of no picture in particular.
    picture = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    picture.add_argument("-p", "--prompt")
    picture.add_argument("-c", "--class-label")
    _, left = picture.parse_known_args(options)
    made = subprocess.run([clusca, "plan", "--json", "--workers", description] + left, stdout=subprocess.PIPE)
    if made.returncode:
        sys.exit(made.returncode)
    return json.loads(made.stdout)["stages"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clusca", default=".build/release/clusca")
    parser.add_argument("workers", type=int)
    arguments, options = parser.parse_known_args()
    with tempfile.TemporaryDirectory() as folder:
        stages = planned(arguments.clusca, arguments.workers, options, folder)
        before, peaks = workers(), {}
        picture = subprocess.Popen([arguments.clusca, "generate", "--workers", str(arguments.workers), "--output",
                                    f"{folder}/%d.png", "--quiet"] + options)
        while picture.poll() is None:
            peaks.update({process: peak for process, peak in workers().items() if process not in before})
            time.sleep(0.05)
        if picture.returncode:
            sys.exit(picture.returncode)
    for stage, peak in zip(stages, (peaks[process] for process in sorted(peaks))):
        memory = stage["memory_bytes"]
        print(f"blocks {stage['blocks'][0]} to {stage['blocks'][1] - 1}: {peak / 1e6:.0f} MB, planned {memory / 1e6:.0f} MB "
              f"({peak / memory:.2f} times as much)")


if __name__ == "__main__":
    main()
