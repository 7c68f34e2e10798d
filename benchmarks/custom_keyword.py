"""Prints how well a custom keyword works that was made from ten recordings, or from none.

    python benchmarks/custom_keyword.py PHRASE --stream STREAM [--commands COMMANDS] [--recordings 10 0] [--out FOLDER]

STREAM is the unpacked `stream.tar`; keywords/PHRASE holds the recordings of the phrase, of which ten are drawn by the
seed, and the rest are the test. Sound without the phrase: the training and validation files of stream_split.txt, but
for the phrase's own, and, where COMMANDS is given, words of Speech Commands' training and validation speakers. False
accepts are counted on the files of the test part and the words of Speech Commands' test speakers, at the threshold that
`edgekws keyword` chose. The method was developed on `snowboy` and `view_glass`; all of `computer` is test.

Speakers are not named in STREAM: a speaker of the ten recordings may be in the test too.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import stream_split

from edgekws.cli import console
from edgekws.data import audio
from edgekws.data.phrase.bank import Bank
from edgekws.detect import settings
from edgekws.files import write_json
from edgekws.graph import io
from edgekws.pipeline import keyword
from edgekws.pipeline.keyword import judgement
from edgekws.pipeline.keyword.plan import RATE_HZ, Folder, KeywordPlan
from edgekws.report import phrase as report

HERE = Path(__file__).resolve().parent
MAIN, DRAWN = "speech_commands_v0.02", 10
LISTS = ("validation_list.txt", "testing_list.txt")
WORDS_OF_TRAINING, WORDS_IN_A_ROW = 4_000, 8


def main() -> None:
    options = parse()
    place = options.stream / "keywords" / options.phrase.replace(" ", "_")
    drawn, rest = draw(sorted(place.iterdir()), options.seed)
    test = negatives(options, "test", place)
    rows = []
    for count in options.recordings:
        plan = planned(options, place, drawn[:count], rest)
        started = time.monotonic()
        with console.progress() as progress:
            document = keyword.make(plan, Folder(options.out / f"from_{count}"), progress)
        rows.append(figures(options, document, test, count, time.monotonic() - started))
        print(f"\n{options.phrase} from {count} recordings")
        for name, text in (
            *report.rows(document),
            ("false accepts, test files", report.accepts(rows[-1]["test files"])),
        ):
            print(f"{name:26} {text}")
    write_json(HERE / "results" / f"custom_keyword_{place.name}.json", {"phrase": options.phrase, "runs": rows})


def draw(paths: list[Path], seed: int) -> tuple[tuple[Path, ...], tuple[Path, ...]]:
    """(ten recordings, the rest)."""
    order = np.random.default_rng(seed).permutation(len(paths))
    return tuple(paths[at] for at in sorted(order[:DRAWN])), tuple(paths[at] for at in sorted(order[DRAWN:]))


def planned(options: argparse.Namespace, place: Path, drawn: tuple[Path, ...], rest: tuple[Path, ...]) -> KeywordPlan:
    folder = options.out / "sound"
    for part in ("training", "validation"):
        linked(folder / "background", files(options.stream, ("background/", "keywords/"), part, place))
        linked(folder / "noise", files(options.stream, ("noise/",), part, place))
        linked(folder / "rooms", files(options.stream, ("rooms/",), part, place))
    if options.commands:
        linked(folder / "background", words(options.commands / MAIN, "training", WORDS_OF_TRAINING, options.seed))
    sizes = {name: getattr(options, name) for name in ("spoken", "scenes", "steps") if getattr(options, name)}
    folders = ((folder / "background",), (folder / "noise",), (folder / "rooms",))
    engines = tuple(options.engine)
    return KeywordPlan(options.phrase, drawn, rest, *folders, engines, start=options.start, seed=options.seed, **sizes)


def files(stream: Path, beginnings: tuple[str, ...], part: str, without: Path) -> list[Path]:
    """Recordings of a part, but for those below the folder `without`."""
    paths = [stream / path for path, own in stream_split.read().items() if own == part and path.startswith(beginnings)]
    return [path for path in paths if path.parent != without]


def words(commands: Path, part: str, most: int, seed: int) -> list[Path]:
    """Recordings of words of a part of Speech Commands."""
    listed = {name: (commands / name).read_text().split() for name in LISTS}
    if part == "test":
        return [commands / path for path in listed[LISTS[1]]]
    held_out = {path for paths in listed.values() for path in paths}
    every = [
        path for path in sorted(commands.glob("[a-z]*/*.wav")) if path.relative_to(commands).as_posix() not in held_out
    ]
    order = np.random.default_rng(seed).permutation(len(every))[:most]
    return [every[at] for at in sorted(order)]


def linked(folder: Path, paths: Iterable[Path]) -> None:
    """Links to recordings in one folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for path in paths:
        link = folder / f"{path.parent.name}_{path.name}"
        if not link.is_symlink():
            link.symlink_to(path)


def negatives(options: argparse.Namespace, part: str, place: Path) -> Bank:
    """Sound of the test part without the phrase; words in a row are one recording."""
    paths = files(options.stream, ("background/", "noise/"), part, place)  # keywords/ of the test part is `computer`
    sounds = [audio.read(path, RATE_HZ) for path in paths]
    names = [path.name for path in paths]
    if options.commands:
        each = [audio.read(path, RATE_HZ) for path in words(options.commands / MAIN, part, 0, 0)]
        for start in range(0, len(each), WORDS_IN_A_ROW):
            sounds.append(np.concatenate(each[start : start + WORDS_IN_A_ROW]))
            names.append(f"words {start}")
    return Bank(tuple(sounds), tuple(names))


def figures(
    options: argparse.Namespace, document: dict[str, Any], test: Bank, count: int, seconds: float
) -> dict[str, Any]:
    """The figures of one run: those of its report, and false accepts on the test files."""
    out = options.out / f"from_{count}"
    graph = io.load(out / "graph.npz")
    chosen = settings.load(out / settings.FILE, io.digest(graph))
    heard = judgement.Listener(graph, len(graph.labels) - 1).heard(test, "test files", False, options.seed)
    keep = ("speech", "recordings", "threshold", "validation", "test", "phrases")
    own = {name: document[name] for name in keep}
    if own["phrases"]:
        own["phrases"] = {name: value for name, value in own["phrases"].items() if name != "names"}
    sizes = {name: document["plan"][name] for name in ("start", "engines", "spoken", "scenes", "steps", "seed")}
    return {
        "from": count,
        "plan": sizes,
        "seconds": round(seconds, 1),
        **own,
        "test files": judgement.background(heard, chosen),
    }


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("phrase")
    parser.add_argument("--stream", type=Path, required=True)
    parser.add_argument("--commands", type=Path)
    parser.add_argument("--recordings", type=int, nargs="+", default=[DRAWN, 0])
    parser.add_argument("--out", type=Path, default=Path("work/custom_keyword"))
    parser.add_argument("--engine", nargs="*", default=(), help="speech engines; all that are installed by default")
    parser.add_argument("--start", default="dscnn_stream")
    parser.add_argument("--seed", type=int, default=17)
    for name in ("spoken", "scenes", "steps"):
        parser.add_argument(f"--{name}", type=int, default=0, help="as of edgekws keyword; 0 is its default")
    return parser.parse_args()


if __name__ == "__main__":
    main()
