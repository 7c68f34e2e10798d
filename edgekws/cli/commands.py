"""Every command: its name, where it lives, and its line in `edgekws --help`.

The module of a command is imported when the command runs, or shows its own help; the lists of commands need this table
alone. `help` repeats the first line of the function's docstring.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

LINE, BOARDS, TRACK, TOOLS = "The line", "Boards", "Data track", "Tools"


@dataclass(frozen=True)
class Command:
    """function: module:name. panel: the box of the help text. hidden: an old spelling, still accepted."""

    name: str
    function: str
    help: str
    panel: str = ""
    hidden: bool = False


@dataclass(frozen=True)
class Group:
    """Commands behind one word. help: of the group itself, its first paragraph is its line in the list."""

    name: str
    help: str
    commands: tuple[Command, ...]
    panel: str = ""
    settings: dict[str, Any] = field(default_factory=dict)
    """Click's context settings."""


DATA = Group(
    "data",
    "Prepared data sets: recordings decoded once and identified by a hash.",
    (
        Command(
            "prepare",
            "edgekws.cli.data.prepare:prepare",
            "Decode recordings into a data set with splits, labels and a hash that identifies it.",
        ),
        Command(
            "record",
            "edgekws.cli.data.record:record",
            "Record words from the microphone into a folder per word.",
        ),
        Command(
            "import",
            "edgekws.cli.data.import_:import_",
            "Make word folders of Audacity labels, an Edge Impulse export, Common Voice or MSWC.",
        ),
        Command(
            "info",
            "edgekws.cli.data.prepare:data_info",
            "Show splits, clips per label and the hash of a prepared data set.",
        ),
        Command(
            "clean",
            "edgekws.cli.data.clean:clean",
            "Rank likely bad recordings: unreadable, mislabelled, silent, clipped, cut off, duplicate; listen and "
            "decide.",
        ),
        Command(
            "drop",
            "edgekws.cli.data.clean:drop",
            "Write a data set without the clips dropped in `data clean`, and with its corrected labels.",
        ),
    ),
    LINE,
)
SELECT = Group(
    "select",
    "The data track: select a few recordings of many, and score the selection as DataPerf's speech challenge does.\n\n"
    "In order: `edgekws embed`, then `make-experiment`, `run`, `score`. Options may also be spelled with underscores, "
    "as in the challenge.\n\n"
    "Exit codes: 3 selection against the rules, 4 wrong option, 8 damaged or unknown file.",
    (
        Command(
            "make-experiment",
            "edgekws.cli.select.make:make_experiment",
            "Make a challenge of your own, a selection pool and an evaluation set, sampled as DataPerf's are.",
        ),
        Command(
            "inspect",
            "edgekws.cli.select.score:inspect",
            "Describe files of the challenge: kind, counts and every problem. Exits with 3 when there is one.",
        ),
        Command(
            "run",
            "edgekws.cli.select.run:run",
            "Select the clips to train on; writes `LANGUAGE_SIZE_train.json`, or `train.npz` for --input-samples.",
        ),
        Command(
            "score",
            "edgekws.cli.select.score:score",
            "Score a selection as the challenge does; add figures per class, the confusion matrix and an interval.",
        ),
        Command(
            "eval",
            "edgekws.cli.select.score:score",
            "Score a selection as the challenge does; add figures per class, the confusion matrix and an interval.",
            hidden=True,
        ),
        Command(
            "shards",
            "edgekws.cli.select.shards:shards",
            "Select clips from a folder of parquet shards of any size, within a limit of memory.",
        ),
        Command(
            "downstream",
            "edgekws.cli.select.downstream:downstream",
            "Select training clips with each selector, train, quantize, and compare the int8 networks.",
        ),
        Command(
            "loop",
            "edgekws.cli.select.downstream:loop",
            "Select training clips with each selector, train, quantize, and compare the int8 networks.",
            hidden=True,
        ),
        Command(
            "convert",
            "edgekws.cli.select.make:convert",
            "Convert a selection or a pool to another format. Refuses what a format cannot express, and says why.",
        ),
    ),
    TRACK,
    {"token_normalize_func": lambda name: name.replace("_", "-")},
)
ROOT = Group(
    "edgekws",
    "Keyword spotting from a folder of recordings to a measured board, bit for bit.\n\n"
    "The line: `data prepare`, `train`, `quantize`, `export`, `flash`, `bench`; or all at once: `demo`.",
    (
        Command(
            "train",
            "edgekws.cli.line.train:train",
            "Train the float network. A killed run continues exactly where it was.",
            LINE,
        ),
        Command(
            "tune",
            "edgekws.cli.line.tune:tune",
            "Search a recipe's ranges for the best validation accuracy (Optuna); several processes may work at once.",
            LINE,
        ),
        Command(
            "quantize",
            "edgekws.cli.line.quantize:quantize",
            "Turn the trained network into the integer graph of the NPU, and score both.",
            LINE,
        ),
        Command(
            "import",
            "edgekws.cli.line.import_:import_",
            "Make a model folder of an int8 model of another tool: TFLite, or ONNX; the integers stay the same.",
            LINE,
        ),
        Command(
            "check",
            "edgekws.cli.line.check:check",
            "Show where each layer would run and what it costs; fail (exit code 5) when the model does not fit.",
            LINE,
        ),
        Command(
            "export",
            "edgekws.cli.line.export:export",
            "Write ONNX, TFLite and C from the graph, run each on every test clip and compare with the interpreter.",
            LINE,
        ),
        Command(
            "predict",
            "edgekws.cli.line.predict:predict",
            "Recognize the words in recordings: label, probability and the next best of each file or window.",
            LINE,
        ),
        Command(
            "evaluate",
            "edgekws.cli.line.evaluate:evaluate",
            "Score a model on labelled recordings: accuracy, recall, precision, confusion, calibration, thresholds.",
            LINE,
        ),
        Command(
            "detect",
            "edgekws.cli.detect.detect:detect",
            "Detect the words in sound of any length: an event for each word that is heard, with its time.",
            LINE,
        ),
        Command(
            "listen",
            "edgekws.cli.detect.listen:listen",
            "Listen to the microphone: level, top words, and an event for each word that is heard, until Ctrl-C.",
            LINE,
        ),
        Command(
            "keyword",
            "edgekws.cli.detect.keyword:keyword",
            "Make a model that detects a phrase of your own, from its text and 0 to 50 recordings; offline, in half an "
            "hour.",
            LINE,
        ),
        Command(
            "detect-eval",
            "edgekws.cli.detect.evaluate:detect_eval",
            "Judge a detector on streams, and choose its thresholds for a budget of false accepts per hour.",
            LINE,
        ),
        Command(
            "info",
            "edgekws.cli.line.info:info",
            "Show a model: layers, sizes, front end, labels, where it comes from, and its exports.",
            LINE,
        ),
        Command(
            "demo",
            "edgekws.cli.line.demo:demo",
            "The whole line in a few minutes: recordings, a short training, the integer graph, a measured board.",
            LINE,
        ),
        Command(
            "boards",
            "edgekws.cli.boards.flash:boards",
            "List the boards: what each is, how much fits, how its figures are got, and what writes its firmware.",
            BOARDS,
        ),
        Command(
            "ports",
            "edgekws.cli.boards.ports:ports",
            "List the serial ports and the board or meter that each may belong to.",
            BOARDS,
        ),
        Command(
            "flash",
            "edgekws.cli.boards.flash:flash",
            "Build the firmware with the model, load it onto the board and check that it answers.",
            BOARDS,
        ),
        Command(
            "bench",
            "edgekws.cli.boards.bench:bench",
            "Measure speed, accuracy and energy over serial, check every answer, write the report.",
            BOARDS,
        ),
        Command(
            "serve-board",
            "edgekws.cli.boards.serve:serve_board",
            "Serve a board that runs on this computer as a serial device, for any host program, until Ctrl-C.",
            BOARDS,
        ),
        Command(
            "compare",
            "edgekws.cli.boards.compare:compare",
            "Put runs side by side; with --fail-if, fail when a run is worse than the first.",
            BOARDS,
        ),
        Command(
            "verify",
            "edgekws.cli.boards.verify:verify",
            "Check that the files of a run are complete and unchanged, and that its report follows from them.",
            BOARDS,
        ),
        Command(
            "embed",
            "edgekws.cli.data.embed:embed",
            "Compute one vector per recording, for the data track: a parquet file per word and an index.",
            TRACK,
        ),
        Command(
            "models",
            "edgekws.cli.line.models:models",
            "List the released models, whose names stand for their folders and recipes in every command.",
            TOOLS,
        ),
        Command(
            "plugins",
            "edgekws.cli.plugins:plugins",
            "List the plugins of each kind: what each is, where it comes from, and why it is broken if it is.",
            TOOLS,
        ),
    ),
)
