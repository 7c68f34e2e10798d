"""Fuzzers of what reads foreign bytes: the firmware's protocol, the host's parser, the reader of graph files.

Each is one command with a seed, and the same seed gives the same inputs:

    python -m fuzz protocol --inputs 10_000_000     firmware_io/firmware/app under ASan and UBSan, against an oracle
    python -m fuzz protocol --libfuzzer 600         the same harness under libFuzzer, for so many seconds
    python -m fuzz answers  --inputs 10_000_000     firmware_io/protocol/parser.py
    python -m fuzz graph    --inputs 10_000_000     edgekws/graph/io.py
    python -m fuzz faults   --runs 500              firmware_io/protocol/session.py on a faulty wire to the firmware
    python -m fuzz faults   --runs 10_000 --device fake     the same to a device in Python, in virtual time

The last three make each input from its number: `--first 96882 --inputs 1` repeats that one.
"""
