"""The command line of the fuzzers: see the package. Exit status 1 when there is a finding."""

from __future__ import annotations

import argparse
import sys
import time

from fuzz import protocol


def main() -> int:
    options = _options()
    began = time.monotonic()
    clean = _campaign(options)
    verdict = "no finding" if clean else "A FINDING, see above"
    _say(f"{verdict}: {_described(options)}, {time.monotonic() - began:.0f} s")
    return 0 if clean else 1


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m fuzz", description=__doc__)
    parser.add_argument("what", choices=["protocol"])
    parser.add_argument("--inputs", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--libfuzzer", type=int, metavar="SECONDS", help="protocol under clang's libFuzzer instead")
    return parser.parse_args()


def _campaign(options: argparse.Namespace) -> bool:
    if options.libfuzzer:
        return protocol.run_libfuzzer(options.libfuzzer, options.seed, _say)
    return protocol.run(options.inputs, options.seed, _say)


def _described(options: argparse.Namespace) -> str:
    amount = f"libFuzzer, {options.libfuzzer} s" if options.libfuzzer else f"{options.inputs} inputs"
    return f"{options.what}, {amount}, seed {options.seed}"


def _say(text: str) -> None:
    print(text, flush=True)


if __name__ == "__main__":
    sys.exit(main())
