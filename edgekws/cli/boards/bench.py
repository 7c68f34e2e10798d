"""`edgekws bench`: figures of a board over its serial port, and a report of them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from edgekws.cli._options import BOARD, OUT, BoardOption, MinRamOption, ModelDataOption, ModelOption, PortOption
from edgekws.cli.boards import measure

ModeOption = Annotated[
    list[str],
    typer.Option(
        "--mode", help="performance, accuracy, energy; several with commas, or again. Or stream or sww01, alone."
    ),
]
SpyOption = Annotated[Path | None, typer.Option("--spy", help="Record the traffic; `--port replay:FILE` plays it.")]
MeterOption = Annotated[
    str,
    typer.Option(
        "--meter",
        help="URL of the energy meter: lpm01a:PORT, ppk2:PORT, joulescope:, otii:, csv:FILE (what any other wrote), "
        "model: (an estimate).",
    ),
]
VoltageOption = Annotated[
    float | None, typer.Option("--voltage", help="Volts that the meter feeds the board with.", min=0.1, max=6.0)
]
IterationsOption = Annotated[
    int, typer.Option("--iterations", help="Inferences between two edges of a recorded trace (csv:).", min=0)
]
WindowsOption = Annotated[int | None, typer.Option("--windows", help="Windows to time. Default: 5.", min=1)]
WindowOption = Annotated[
    float | None, typer.Option("--window-s", help="Seconds of one window, at least. Default: 10.", min=0.01)
]
ClipsOption = Annotated[int, typer.Option(help="Test clips to send over serial; 0 is all.", min=0)]
VectorsOption = Annotated[
    Path | None,
    typer.Option(
        "--vectors",
        help="Clips from this .npz, MLPerf Tiny's kws01, a folder of recordings or a released model, instead of "
        "--data.",
    ),
]
SaveOption = Annotated[Path | None, typer.Option("--save-vectors", help="Write the clips into a file for --vectors.")]
ImageOption = Annotated[
    Path | None,
    typer.Option("--image", help="The ELF file that the board holds, as `flash --image` wrote it; build nothing."),
]
MlperfOption = Annotated[
    Path | None, typer.Option("--mlperf", help="Also write a session folder of MLPerf Tiny into this folder.")
]
AudioOption = Annotated[Path | None, typer.Option("--audio", help="sww01: the WAV that the board hears.")]
LabelsOption = Annotated[
    Path | None, typer.Option("--labels", help="sww01: its wake words, JSON: [[start, end], ...] in seconds.")
]


def bench(
    board: BoardOption = BOARD,
    data: ModelDataOption = None,
    out: ModelOption = OUT,
    clips: ClipsOption = 0,
    min_ram: MinRamOption = False,
    mode: ModeOption = ["performance", "accuracy"],  # noqa: B006 (typer copies it)
    port: PortOption = "",
    spy: SpyOption = None,
    meter: MeterOption = "",
    voltage: VoltageOption = None,
    iterations: IterationsOption = 0,
    windows: WindowsOption = None,
    window_s: WindowOption = None,
    vectors: VectorsOption = None,
    save_vectors: SaveOption = None,
    mlperf: MlperfOption = None,
    image: ImageOption = None,
    audio: AudioOption = None,
    labels: LabelsOption = None,
) -> None:
    """Measure speed, accuracy and energy over serial, check every answer, write the report.

    Examples:

    - no recordings, no board: `edgekws bench --out dscnn`
    - instructions and accuracy, emulated: `edgekws bench --board qemu-an386 --clips 200`
    - five windows of 10 s: `edgekws bench --board nucleo-l4r5zi --mode performance --port serial:/dev/ttyACM0`
    - every answer against the interpreter: `edgekws bench --board nucleo-l4r5zi --mode accuracy --spy traffic.jsonl`
    - joules: `edgekws bench --board nucleo-l4r5zi --mode energy --meter lpm01a:/dev/ttyACM1 --voltage 3`
    - the cost of listening, by stage: `edgekws bench --board qemu-an386 --mode stream --out my_stream_model`
    - MLPerf Tiny's streaming wake word: `edgekws bench --board qemu-an386 --mode sww01 --audio a.wav --labels a.json`
    - what another meter wrote: `edgekws bench --board nucleo-l4r5zi --mode energy --meter csv:t.csv --iterations 230`
    - estimated from published currents: `edgekws bench --mode energy --meter model:`

    The board has to answer with the build id of the firmware that is built here, or of --image; another one is refused.

    Each run has a folder of its own, OUT/bench/BOARD/TIME-MODES; `latest` beside them names the newest.

    A run that is not valid, or was aborted, still writes its report and ends with the reason and an exit code above 0.
    """
    measure.measure(
        measure.Options(
            board=board,
            data=data,
            out=out,
            clips=clips,
            min_ram=min_ram,
            modes=tuple(mode),
            port=port,
            spy=spy,
            meter=meter,
            voltage=voltage,
            iterations=iterations,
            windows=windows,
            window_s=window_s,
            vectors=vectors,
            save_vectors=save_vectors,
            mlperf=mlperf,
            image=image,
            audio=audio,
            labels=labels,
        )
    )
