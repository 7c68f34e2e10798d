"""The command line of the fuzzers; the package describes them. Exit status 1 when there is a finding."""

from __future__ import annotations

import argparse
import os
import sys
import time

from fuzz import campaign, protocol, starts, stream

_INPUTS = {"faults": 500, "starts": 5_000}


def main() -> int:
    options = _options()
    began = time.monotonic()
    clean = _run(options)
    verdict = "no finding" if clean else "A FINDING, see above"
    _print(f"{verdict}: {_describe(options)}, {time.monotonic() - began:.0f} s")
    return 0 if clean else 1


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m fuzz", description=__doc__)
    kinds = ["protocol", "stream", "answers", "graph", "import-tflite", "import-onnx", "faults", "starts"]
    parser.add_argument("what", choices=kinds)
    parser.add_argument(
        "--inputs", "--runs", type=int, help="default: 500 runs of faults, 5,000 starts, 100,000 inputs of the others"
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--libfuzzer", type=int, metavar="SECONDS", help="run protocol under clang's libFuzzer")
    parser.add_argument(
        "--jobs", "--processes", type=int, help="for all but protocol; default: 3 for starts, else one a core"
    )
    parser.add_argument("--device", choices=["host", "fake"], default="host", help="the device that faults talks to")
    parser.add_argument("--first", type=int, default=0, help="number of the first input for answers, graph and faults")
    options = parser.parse_args()
    options.inputs = options.inputs or _INPUTS.get(options.what, 100_000)
    options.jobs = options.jobs or (3 if options.what == "starts" else os.cpu_count() or 1)
    return options


def _run(options: argparse.Namespace) -> bool:
    if options.what == "starts":
        return starts.run(options.inputs, options.jobs, _print)
    if options.what == "stream":
        return stream.run(options.inputs, options.seed, _print)
    if options.what != "protocol":
        module = f"fuzz.{options.what.replace('-', '_')}" + (f"_{options.device}" if options.what == "faults" else "")
        return campaign.run(module, options.inputs, options.seed, options.jobs, _print, options.first)
    if options.libfuzzer:
        return protocol.run_libfuzzer(options.libfuzzer, options.seed, _print)
    return protocol.run(options.inputs, options.seed, _print)


def _describe(options: argparse.Namespace) -> str:
    amount = f"libFuzzer, {options.libfuzzer} s" if options.libfuzzer else f"{options.inputs} inputs"
    return f"{options.what}, {amount}, seed {options.seed}"


def _print(text: str) -> None:
    print(text, flush=True)


if __name__ == "__main__":
    sys.exit(main())
