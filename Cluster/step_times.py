#!/usr/bin/env python3
"""Says how long the steps of a coordinator's trace took, from one to the next, where one sample was in flight.

    step_times.py trace.json
"""

import json
import statistics
import sys


def main() -> None:
    with open(sys.argv[1]) as file:
        spans = [event for event in json.load(file)["traceEvents"] if event["ph"] == "X"]
    # A step lasts until the next begins at the first stage: with its ways to and from the coordinator.
    first = sorted((span for span in spans if span["args"]["stage"] == 0), key=lambda span: span["ts"])
    for kind in ("full", "cached"):
        lasted = [after["ts"] - span["ts"] for span, after in zip(first, first[1:]) if span["args"]["kind"] == kind]
        computed = [sum(each["dur"] for each in spans if each["args"]["step"] == span["args"]["step"])
                    for span in first if span["args"]["kind"] == kind]
        if lasted:
            print(f"{len(lasted)} {kind} steps took {statistics.median(lasted) / 1000:.0f} ms in the median, of which stages "
                  f"computed {statistics.median(computed) / 1000:.0f} ms.")


if __name__ == "__main__":
    main()
