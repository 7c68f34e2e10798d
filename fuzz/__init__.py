"""Fuzzers of everything that parses untrusted bytes: the firmware's protocol, the host's parser, the graph reader.

Each is one command with a seed, and the same seed gives the same inputs:

    python -m fuzz protocol --inputs 10_000_000     firmware_io/firmware/app under ASan and UBSan, against an oracle
    python -m fuzz protocol --libfuzzer 600         the same harness under libFuzzer, for 600 seconds
    python -m fuzz answers  --inputs 10_000_000     firmware_io/protocol/parser.py
    python -m fuzz graph    --inputs 10_000_000     edgekws/graph/io.py
    python -m fuzz import-onnx --inputs 1_000_000   edgekws/importers/onnx_qdq.py and onnx_tinpu.py
    python -m fuzz faults   --runs 500              firmware_io/protocol/session.py over a faulty wire to the firmware
    python -m fuzz faults   --runs 10_000 --device fake     the same with a device in Python, in virtual time
    python -m fuzz starts   --runs 5000 --processes 3       boot banners of the emulated boards, through the ports

The readers in Python and faults derive each input from its number: `--first 96882 --inputs 1` repeats input 96882.
"""
