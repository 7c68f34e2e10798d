"""Prints how well a model detects the ten words in streams: false accepts per hour, misses, latency.

    python benchmarks/detection.py MODEL --stream STREAM --commands COMMANDS [--budgets 0.5 5] [--test] [--save]

STREAM is the unpacked `stream.tar`, whose files are validation or test as stream_split.txt says; COMMANDS has Speech
Commands (speech_commands_v0.02 and speech_commands_test_set_v0.02). Thresholds and smoothing are chosen on validation
streams for each budget of false accepts per hour. Without --test only validation figures are printed: they are
optimistic, since the thresholds were chosen on them. --test reads the test streams, once, for the final figure, and
writes results/detection_<model>.json. --save writes detector.json of the first budget beside the model's graph.

Keyword-free speech: background/ and keywords/ of the part. Words: Speech Commands' validation list, or its test set
archive, in the noises, background noises and rooms of the part. Noise alone is heard apart, and not counted among the
hours of speech.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import stream_split

from edgekws.cli import console
from edgekws.detect import settings
from edgekws.detect.evaluation import document as doc
from edgekws.detect.evaluation import hearing, run, texts
from edgekws.detect.evaluation.streams import Heard
from edgekws.detect.listener import Scorer, clock
from edgekws.detect.settings import Settings
from edgekws.files import write_json
from edgekws.graph.ir import Graph
from edgekws.inference import model as models
from edgekws.types import Progress

HERE = Path(__file__).resolve().parent
MAIN, TEST_SET, NOISE = "speech_commands_v0.02", "speech_commands_test_set_v0.02", "_background_noise_"
NOISE_SHARES = {"validation": (0.6, 0.8), "test": (0.8, 1.0)}
"""Of each of Speech Commands' background noises; stream_split.py says so too."""


@dataclass(frozen=True)
class Place:
    """The folders of the recordings."""

    stream: Path
    commands: Path


def main() -> None:
    options = parse()
    model = models.read(options.model)
    graph = model.graph
    if graph is None:
        raise SystemExit(f"{options.model} is no integer graph")
    place = Place(options.stream, options.commands)
    base = settings.default(graph.labels, clock(graph).step_ms)
    how = run.Options(snrs_db=tuple(options.snr), tau_ms=options.tau_ms)
    with console.progress() as report:
        validation = hear("validation", place, graph, base.keywords, how, report, options.most)
        test = hear("test", place, graph, base.keywords, how, report, options.most) if options.test else None
    rows = []
    for number, budget in enumerate(options.budgets):
        chosen = run.chosen(validation[0], base, budget, how.tau_ms, options.latency_ms)
        if number == 0 and options.save:
            settings.save(chosen, model.path.with_name(settings.FILE), model.sha256)
        judged = {"validation": (validation, validation[0].evaluate(chosen, how.tau_ms))}
        if test is not None:
            judged["test"] = (test, test[0].evaluate(chosen, how.tau_ms))
        show(budget, chosen, {name: (heard[1], figures) for name, (heard, figures) in judged.items()})
        document = {name: figures.model_dump(mode="json") for name, (_, figures) in judged.items()}
        rows.append({"budget_per_hour": budget, "thresholds": list(chosen.thresholds_permille), "keywords":
                     list(chosen.keywords), "smoothing_steps": chosen.smoothing_steps, **document})  # fmt: skip
    if test is not None:
        write_json(HERE / "results" / f"detection_{graph.name}.json", {"model": graph.name, "budgets": rows})


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path)
    parser.add_argument("--stream", type=Path, required=True)
    parser.add_argument("--commands", type=Path, required=True)
    parser.add_argument("--budgets", type=float, nargs="+", default=[0.5, 5.0], help="false accepts per hour")
    parser.add_argument("--snr", type=ratio, nargs="+", default=[None, 20.0, 10.0], help="dB, or clean")
    parser.add_argument("--tau-ms", type=float, default=500.0)
    parser.add_argument("--latency-ms", type=float, default=300.0, help="p95 of the smoothing to choose, if any")
    parser.add_argument("--test", action="store_true", help="read the test streams too")
    parser.add_argument("--save", action="store_true", help="write detector.json beside the graph")
    parser.add_argument("--most", type=int, default=0, help="files of each kind, for a trial; 0 is all")
    return parser.parse_args()


def ratio(text: str) -> float | None:
    return None if text == "clean" else float(text)


def hear(
    part: str, place: Place, graph: Graph, keywords: tuple[str, ...], how: run.Options, report: Progress, most: int
) -> tuple[run.Part, Heard]:
    """(streams of a part: speech without keywords, and scenes with words; noise alone)."""

    def make() -> Scorer:
        return Scorer(graph, keywords)

    heard, rate_hz = run.Part(), make().clock.rate_hz
    for name in ("background/commands", "background/prompts_fr", "keywords"):
        paths = listed(place, part, name, most)
        if paths:
            heard.background.append(hearing.background(f"{part} {name}", paths, make(), heard.faults, report))
    noise_paths = listed(place, part, "noise", most)
    noises = [*hearing.noises(noise_paths, rate_hz, heard.faults), *background_noises(place, part, rate_hz)]
    rooms = hearing.rooms(listed(place, part, "rooms", most), rate_hz)
    spoken = [
        each
        for number, keyword in enumerate(keywords)
        for each in hearing.spoken_in(clips(place, part, keyword, most), number, rate_hz, heard.faults)
    ]
    composed = run.compose(spoken, noises, rooms, how, rate_hz, heard.faults)
    heard.scenes += run.hear_scenes(composed, make, heard.faults, report)
    joined = (noise[at : at + 8_000] for noise in noises for at in range(0, len(noise), 8_000))
    return heard, hearing.of_blocks(f"{part} noise", joined, make())


def listed(place: Place, part: str, below: str, most: int) -> list[Path]:
    """Files of a part, as stream_split.txt says."""
    paths = sorted(
        place.stream / path for path, own in stream_split.read().items() if own == part and path.startswith(below)
    )
    return paths[:most] if most else paths


def background_noises(place: Place, part: str, rate_hz: int) -> list[np.ndarray]:
    """The share of the part of each of Speech Commands' background noises."""
    low, high = NOISE_SHARES[part]
    paths = sorted((place.commands / MAIN / NOISE).glob("*.wav"))
    whole = hearing.noises(paths, rate_hz, [])
    return [noise[int(low * len(noise)) : int(high * len(noise))] for noise in whole]


def clips(place: Place, part: str, keyword: str, most: int) -> list[Path]:
    """Recordings of a word: the validation list's, or the test set archive's."""
    if part == "test":
        paths = sorted((place.commands / TEST_SET / keyword).glob("*.wav"))
    else:
        lines = (place.commands / MAIN / "validation_list.txt").read_text().split()
        paths = [place.commands / MAIN / line for line in sorted(lines) if line.startswith(f"{keyword}/")]
    return paths[:most] if most else paths


def show(budget: float, chosen: Settings, judged: dict[str, tuple[Heard, doc.Evaluation]]) -> None:
    """The figures of the bar, computed by the integer stream."""
    print(f"\nbudget {budget:g} an hour; thresholds and a smoothing of {chosen.smoothing_steps} steps from validation")
    for part, (noise, figures) in judged.items():
        print(f"{part}{' (optimistic: thresholds were chosen on it)' if part == 'validation' else ''}")
        for line in (*texts.lines(figures), f"noise alone: {len(noise.events(chosen))} events in {noise.hours:.2f} h"):
            print(f"  {line}")
        for heads, rows in (
            (texts.KEYWORD_HEADS, texts.keyword_rows(figures)),
            (texts.CONDITION_HEADS, texts.condition_rows(figures)),
        ):
            for row in (heads, *rows):
                print("  ", "".join(f"{cell:>15}" for cell in row))


if __name__ == "__main__":
    main()
