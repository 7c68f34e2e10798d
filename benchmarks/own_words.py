"""Own words from recordings of phones to a measured board, as a user would: can the model say "none of them"?

    python benchmarks/own_words.py --work DIR --speech-commands FOLDER --own WORD=FOLDER ... \\
        --other NAME=FOLDER@N ... --noise NAME=FOLDER ... [--json results/own_words.json]

For each word, 30 recordings of as many speakers as there are known are written in the codecs of phones. Then the
commands run, each as the one before printed it: `data prepare`, `train`, `quantize`, `export`, `flash`, `bench`. Twice:
without Speech Commands, and with every second of its words as other words. Every clip that judges is of a recording
that no command saw: other recordings of the own words; words of Speech Commands that the training did not have; other
speech, in windows that are as loud as speech; noise. Half of them go through a phone's codec first. Of each folder the
first recordings (N of @N, and 150 of each own word) were used to choose the recipe and are skipped.

The released DS-CNN, which is fine-tuned, was trained on Speech Commands: its words were not all new to it. The folders
of --other were. Accepted means: one of the own words has the highest integer score.
"""

from __future__ import annotations

import argparse
import os
import platform
import resource
import shlex
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from _phone import CODINGS, encode

from edgekws.data import audio
from edgekws.data.labels import words
from edgekws.features import extract
from edgekws.files import write_json, write_text
from edgekws.graph import interp, io
from edgekws.machine import cores
from edgekws.stats import wilson

RATE_HZ = CLIP = 16_000
LEARNED, DEVELOPMENT, JUDGED = 30, 150, 150
OTHERS, NOISES, PER_WORD = 400, 60, 45
MOST_COMMANDS = 6
_SPEECH = 0.35
"""A window of speech has at least this share of the loudest window's root mean square."""


@dataclass(frozen=True)
class Judges:
    """samples int16 [n, CLIP]; truth: the word, or "" for what should be rejected; group of each."""

    samples: np.ndarray
    truth: list[str]
    groups: list[str]


class Collector:
    """Clips that judge; every second one goes through a codec of CODINGS."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.clips, self.truth, self.groups = folder, [], [], []

    def add(self, samples: np.ndarray, group: str, truth: str = "") -> None:
        self.clips.append(samples)
        self.groups.append(group)
        self.truth.append(truth)

    def coded(self, samples: np.ndarray) -> np.ndarray:
        number = len(self.clips)
        if number % 2 == 0:
            return samples
        coding = CODINGS[number // 2 % len(CODINGS)]
        path = self.folder / f"coded.{coding.container}"
        encode(path, samples, RATE_HZ, coding)
        return audio.read(path, RATE_HZ)

    def done(self) -> Judges:
        return Judges(np.stack(self.clips), self.truth, self.groups)


def shuffled(folder: Path) -> list[Path]:
    """The recordings of a folder in an order that is always the same; one of each speaker where names tell them."""
    files = sorted(path for path in folder.iterdir() if path.is_file())
    order = [files[index] for index in np.random.default_rng(1).permutation(len(files))]
    speakers: dict[str, Path] = {}
    for path in order:
        speakers.setdefault(path.stem.split("_nohash_")[0], path)
    return list(speakers.values())


def write_learned(folder: Path, own: dict[str, list[Path]]) -> None:
    """my_words/WORD/*: what a person would have recorded with several phones, at several levels."""
    rng = np.random.default_rng(5)
    for word, files in own.items():
        for number, path in enumerate(files[:LEARNED]):
            coding = CODINGS[number % len(CODINGS)]
            quieter = audio.read(path, RATE_HZ) * 10 ** (rng.uniform(-14, 0) / 20)
            target = folder / word / f"speaker{number:02d}_{word}.{coding.container}"
            encode(target, np.round(quieter).astype(np.int16), RATE_HZ, coding)


def write_other_words(folder: Path, commands: Path, own: dict[str, list[Path]]) -> list[Path]:
    """Links to every second word of Speech Commands and to its noises, to learn from. Returns the other words."""
    every = sorted(path for path in commands.iterdir() if path.is_dir() and not path.name.startswith("_"))
    left = [path for path in every if path.name not in own]
    folder.mkdir(parents=True, exist_ok=True)
    for path in (*left[1::2], commands / "_background_noise_"):
        if not (folder / path.name).exists():
            (folder / path.name).symlink_to(path.resolve())
    return left[::2]


def collect(folder: Path, own: dict[str, list[Path]], unheard: list[Path], options: argparse.Namespace) -> Judges:
    """Every clip that judges."""
    to = Collector(folder)
    for word, files in own.items():
        for path in files[LEARNED + DEVELOPMENT :][:JUDGED]:
            to.add(audio.fit(to.coded(audio.read(path, RATE_HZ)), CLIP), "own words", word)
    for each in unheard:
        for path in shuffled(each)[PER_WORD:][:PER_WORD]:
            to.add(audio.fit(to.coded(audio.read(path, RATE_HZ)), CLIP), "Speech Commands, words not in training")
    for name, given in options.other:
        for number, clip in enumerate(window for path in files_of(given) for window in spoken(to, path)):
            if number < OTHERS:
                to.add(clip, name)
    for name, given in options.noise:
        windows = [clip for path in files_of(given) for clip in cut(audio.read(path, RATE_HZ), CLIP, 2 * CLIP)]
        for index in sorted(np.random.default_rng(2).permutation(len(windows))[:NOISES]):
            to.add(windows[index], f"noise: {name}")
    to.add(np.zeros(CLIP, np.int16), "noise: digital silence")
    return to.done()


def files_of(given: str) -> list[Path]:
    """FOLDER@N: its recordings but the first N, in the order of their names."""
    folder, _, skipped = given.partition("@")
    return sorted(path for path in Path(folder).iterdir() if path.is_file())[int(skipped or 0) :]


def cut(samples: np.ndarray, start: int, hop: int) -> Iterator[np.ndarray]:
    for first in range(start, len(samples) - CLIP + 1, hop):
        yield samples[first : first + CLIP]


def spoken(to: Collector, path: Path) -> list[np.ndarray]:
    """The windows of a recording that are as loud as speech."""
    samples = to.coded(audio.read(path, RATE_HZ))
    if len(samples) < 2 * CLIP:
        return [audio.fit(samples, CLIP)]
    windows = list(cut(samples, 0, CLIP))
    levels = [float(np.sqrt(np.mean(window.astype(float) ** 2))) for window in windows]
    return [window for window, level in zip(windows, levels, strict=True) if level >= _SPEECH * max(levels)]


def run_line(folder: Path, first: list[str], board: str) -> list[dict[str, Any]]:
    """Run the commands, each as the one before printed it, to `bench`. Returns what each was and what it took."""
    rows: list[dict[str, Any]] = []
    command = first
    while True:
        started, before = time.monotonic(), resource.getrusage(resource.RUSAGE_CHILDREN)
        done = subprocess.run(
            [sys.executable, "-m", "edgekws", *command], cwd=folder, capture_output=True, text=True, check=False
        )
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        if done.returncode:
            raise SystemExit(f"edgekws {shlex.join(command)} ended with {done.returncode}: {done.stderr[-2000:]}")
        cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        row = {"command": f"edgekws {shlex.join(command)}", "seconds": time.monotonic() - started, "cpu_seconds": cpu}
        rows.append(row)
        print(f"  {row['command']}: {row['seconds']:.0f} s ({cpu:.0f} s of CPU time)", flush=True)
        if command[0] == "bench" or len(rows) == MOST_COMMANDS:
            return rows
        command = next_of(done.stdout + done.stderr)
        if command[0] in ("flash", "bench") and "--board" not in command:
            command += ["--board", board]


def next_of(printed: str) -> list[str]:
    """The command after the last "next: edgekws"."""
    line = printed.rpartition("next: edgekws ")[2]
    if not line or line == printed:
        raise SystemExit(f"no next command in: {printed[-1000:]}")
    return shlex.split(line.partition("\n")[0])


def judge(graph_file: Path, judges: Judges) -> list[dict[str, Any]]:
    """Recall of the own words and the share of each other group that is taken for one of them."""
    graph = io.load(graph_file)
    features = extract.quantized(graph.front_end, judges.samples)
    chosen = [graph.labels[index] for index in interp.run(graph, features).reshape(len(features), -1).argmax(axis=1)]
    own = set(words(graph.labels))
    rows = [row("recall of own words", [c == t for c, t in zip(chosen, judges.truth, strict=True) if t])]
    for word in sorted(own):
        rows.append(row(f"recall of {word}", [c == t for c, t in zip(chosen, judges.truth, strict=True) if t == word]))
    accepted = [c in own for c in chosen]
    noise = [group.startswith("noise") for group in judges.groups]
    kinds = list(zip(accepted, noise, judges.truth, strict=True))
    rows.append(row("other words accepted", [a for a, n, t in kinds if not n and not t]))
    rows.append(row("silence and noise accepted", [a for a, n, _ in kinds if n]))
    for name in dict.fromkeys(judges.groups):
        if name != "own words":
            rows.append(
                row(f"accepted: {name}", [a for a, g in zip(accepted, judges.groups, strict=True) if g == name])
            )
    return rows


def row(name: str, hits: list[bool]) -> dict[str, Any]:
    interval = wilson(sum(hits), len(hits))
    return {"figure": name, "share": sum(hits) / len(hits), "n": len(hits), "low": interval.low, "high": interval.high}


def table(results: dict[str, list[dict[str, Any]]]) -> str:
    """Markdown: a column for each run."""
    lines = [f"| integer graph, argmax | n | {' | '.join(results)} |", "|---|---|" + "---|" * len(results)]
    for rows in zip(*results.values(), strict=True):
        shown = [f"{100 * r['share']:.1f} % ({100 * r['low']:.1f} to {100 * r['high']:.1f})" for r in rows]
        lines.append(f"| {rows[0]['figure']} | {rows[0]['n']:,} | {' | '.join(shown)} |")
    return "\n".join(lines)


def page(runs: dict[str, Any], own: list[str]) -> str:
    """The table, and what each command took."""
    made = f"`benchmarks/own_words.py`: {', '.join(own)}, {LEARNED} recordings each, re-encoded as phones do."
    lines = [made, "", table({f"{name} Speech Commands": run["rows"] for name, run in runs.items()}), ""]
    lines += [f"| command | {' | '.join(f'{name}: s (CPU s)' for name in runs)} |", "|---|" + "---|" * len(runs)]
    for steps in zip(*(run["steps"] for run in runs.values()), strict=True):
        command = " ".join(shlex.split(steps[0]["command"])[:3]) if "data" in steps[0]["command"].split()[:2] else ""
        command = command or " ".join(shlex.split(steps[0]["command"])[:2])
        lines.append(
            f"| `{command}` | " + " | ".join(f"{s['seconds']:.0f} ({s['cpu_seconds']:.0f})" for s in steps) + " |"
        )
    totals = [sum(step["seconds"] for step in run["steps"]) for run in runs.values()]
    loads = [run["load_average"] for run in runs.values()]
    lines.append("| all | " + " | ".join(f"{total / 60:.1f} min" for total in totals) + " |")
    lines += ["", f"Load averages during the runs: {', '.join(f'{load:.1f}' for load in loads)}."]
    return "\n".join(lines) + "\n"


def pair(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals:
        raise argparse.ArgumentTypeError(f"{text} should be NAME=FOLDER")
    return name, value


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, required=True, help="an empty folder for everything that is made")
    parser.add_argument("--speech-commands", type=Path, required=True)
    parser.add_argument("--own", type=pair, action="append", required=True)
    parser.add_argument("--other", type=pair, action="append", default=[])
    parser.add_argument("--noise", type=pair, action="append", default=[])
    parser.add_argument("--board", default="qemu-an386")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    own = {word: shuffled(Path(folder)) for word, folder in options.own}
    work = options.work.resolve()
    write_learned(work / "my_words", own)
    unheard = write_other_words(work / "speech_commands", options.speech_commands, own)
    judges = collect(work, own, unheard, options)
    os.environ.pop("EDGEKWS_DATA", None)
    runs: dict[str, Any] = {}
    for name, more in (("without", []), ("with", ["--speech-commands", str(work / "speech_commands")])):
        folder = work / name
        folder.mkdir(exist_ok=True)
        print(f"{name} Speech Commands", flush=True)
        steps = run_line(folder, ["data", "prepare", str(work / "my_words"), *more], options.board)
        (graph,) = folder.glob("work/*/model/graph.npz")
        runs[name] = {"steps": steps, "rows": judge(graph, judges), "load_average": os.getloadavg()[2]}
        print(table({f"{name} Speech Commands": runs[name]["rows"]}), flush=True)
    text = page(runs, list(own))
    print(text)
    if options.json:
        write_text(options.json.with_suffix(".md"), text)
        write_json(
            options.json, {"machine": f"{platform.machine()}, {cores()} cores", "own_words": list(own), "runs": runs}
        )


if __name__ == "__main__":
    main()
