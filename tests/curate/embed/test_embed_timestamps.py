"""Timestamp embeddings: a row for each time of a clip, resumed and the same from any number of workers."""

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from edgekws.cli import app
from edgekws.curate import embed
from edgekws.curate.embed import audio as _audio
from edgekws.curate.embed import parts
from edgekws.errors import ConfigError, DataError
from tests.curate.embed.embed_recordings import RATE_HZ, write_noise

TIMES = embed.Settings(timestamps=True)
LOGGED = """
import os, pathlib
plain = get_timestamp_embeddings
def get_timestamp_embeddings(audio, model):
    with (pathlib.Path(__file__).parent / "calls.txt").open("a") as log:
        log.write("x" * len(audio))
    return plain(audio, model)
"""


@pytest.fixture
def request_of(words, module, tmp_path):
    def make(**changes):
        request = embed.Request(words, tmp_path / "out", embed.ModelSpec(module(more=LOGGED)), TIMES, workers=1)
        return replace(request, **changes)

    return make


def contents(out):
    return {path.name: path.read_bytes() for path in sorted(out.rglob("*")) if path.is_file()}


def rows(path, clip):
    """(times float32 [t], vectors float32 [t, size])"""
    result = [row for row in pq.read_table(path).to_pylist() if row["clip_id"] == clip]
    return np.float32([row["timestamp_ms"] for row in result]), np.float32([row["embedding"] for row in result])


@pytest.mark.parametrize("name", ["mine", "logmel", "dscnn"])
def test_rows_equal_the_models_output(request_of, words, name):
    request = request_of() if name == "mine" else request_of(model=embed.ModelSpec(name))
    index = embed.run(request)
    assert index.clips == 12 and index.about["model"]["dimensions"] == {"mine": 3, "logmel": 80, "dscnn": 64}[name]
    schema = pq.read_schema(index.folder / "up.parquet")
    columns = [("clip_id", pa.string()), ("timestamp_ms", pa.float32()), ("embedding", pa.list_(pa.float32()))]
    assert [(field.name, field.type) for field in schema] == columns
    model = embed.open_model(request.model)
    for clip in ("up/0.wav", "up/3.wav"):
        times, vectors = rows(index.folder / "up.parquet", clip)
        audio = _audio.fitted(*_audio.read(words / clip), RATE_HZ, RATE_HZ)
        expected, centres = model.times(audio[None])
        assert (times == centres[0]).all() and (np.diff(times) > 0).all() and len(times) > 20
        assert np.allclose(vectors, expected[0], rtol=1e-4, atol=1e-5)


def test_the_number_of_times_depends_on_the_length_of_the_clip(request_of):
    """Whole recordings: batches are of one length, and rows in the order of the ids all the same."""
    index = embed.run(request_of(settings=embed.Settings(clip_ms=0, batch=3, timestamps=True)))
    table = pq.read_table(index.folder / "no.parquet")
    counts = {str(number): (12_000 + 2_000 * number) // 160 for number in range(4)}
    assert table["clip_id"].to_pylist() == [f"no/{clip}.wav" for clip, count in counts.items() for _ in range(count)]


def test_the_result_does_not_depend_on_workers_and_row_groups(request_of, tmp_path, monkeypatch):
    settings = embed.Settings(batch=2, timestamps=True)
    for workers in (1, 2):
        embed.run(request_of(out=tmp_path / f"out{workers}", workers=workers, settings=settings))
    assert contents(tmp_path / "out1") == contents(tmp_path / "out2")
    monkeypatch.setattr(parts, "_GROUP", 7)
    small = embed.run(request_of(out=tmp_path / "small", settings=settings))
    assert small.clips == 12
    for word in ("no", "up", "yes"):
        assert pq.read_table(small.folder / f"{word}.parquet") == pq.read_table(tmp_path / "out1" / f"{word}.parquet")


def test_a_stopped_run_continues(request_of, tmp_path):
    """With batches of one clip: what is done is a part on disk, and is not computed again."""
    settings = embed.Settings(batch=1, timestamps=True)

    def stop(_, done, total):
        if done == 6:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        embed.run(request_of(settings=settings), stop)
    calls = tmp_path / "calls.txt"
    assert len(calls.read_text()) == 6
    index = embed.run(request_of(settings=settings))
    assert len(calls.read_text()) == 12
    fresh = embed.run(request_of(settings=settings, out=tmp_path / "fresh"))
    assert contents(index.folder) == contents(fresh.folder)


def test_clips_without_times_or_with_nan_are_skipped(request_of, module):
    nan = "times = torch.where(audio[0, 0] > 0, float('nan'), times)"
    path = module(("return features(frames), times", f"{nan}\n    return features(frames), times"), name="nan")
    result = embed.run(request_of(model=embed.ModelSpec(path), settings=replace(TIMES, batch=1)))
    assert 0 < result.clips < 12 and "NaN or infinity from the model" in result.skipped[0].reason
    none = module(
        ("return features(frames), times.expand", "return features(frames)[:, :0], times[:0].expand"), name="none"
    )
    with pytest.raises(DataError, match="no time at all from the model"):
        embed.run(request_of(model=embed.ModelSpec(none), out=result.folder.parent / "none"))


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("return features(frames), times", "return features(frames).double(), times", r"float32 \[4, t, 3\]"),
        ("return features(frames), times", "return features(frames)[0], times", r"Got: float32 \[100, 3\]"),
        (".to(torch.float32)", ".to(torch.float64)", r"float32 \[4, 100\]\. Got: float64"),
        ("return features(frames), times", "return features(frames), times[:9]", r"float32 \[4, 100\]"),
        ("return features(frames), times", "return features(frames)  # ", "embeddings and their times"),
        ("frames = audio", "frames = audio.nothing", "AttributeError"),
        ("timestamp_embedding_size = 3", "timestamp_embedding_size = '3'", "should have an integer size"),
        ("def get_timestamp_embeddings", "def get_times", "no such function"),
    ],
)
def test_a_module_that_breaks_its_contract_is_named(request_of, module, old, new, message):
    request = request_of(model=embed.ModelSpec(module((old, new), name="broken")))
    with pytest.raises(ConfigError, match=message) as caught:
        embed.run(request)
    assert "edgekws embed --check" in str(caught.value)


def test_a_module_without_times_still_has_scene_embeddings(request_of, module):
    path = module(("def get_timestamp_embeddings", "def get_times"), name="scene")
    assert embed.run(request_of(model=embed.ModelSpec(path), settings=embed.Settings())).clips == 12


def test_scene_and_timestamp_embeddings_do_not_mix(request_of):
    embed.run(request_of())
    before = contents(request_of().out)
    with pytest.raises(ConfigError, match="should be empty or hold embeddings of this model"):
        embed.run(request_of(settings=embed.Settings()))
    assert contents(request_of().out) == before


def test_the_command_writes_both_beside_each_other(words, tmp_path):
    write_noise(words / "up" / "short.wav", 5, 40)
    arguments = ["embed", str(words), "--model", "logmel", "--workers", "1"]
    both = ["--out", str(tmp_path / "scene"), "--timestamps", str(tmp_path / "times")]
    done = CliRunner().invoke(app, [*arguments, *both])
    assert done.exit_code == 0, done.exception
    printed = " ".join(done.output.split())
    assert (
        "13 clips of 3 words, 360 numbers each" in printed
        and "13 clips of 3 words, 80 numbers per time step" in printed
    )
    assert contents(tmp_path / "scene").keys() == contents(tmp_path / "times").keys()
    inside = CliRunner().invoke(app, [*arguments, *both[:3], str(tmp_path / "scene" / "times")])
    assert isinstance(inside.exception, ConfigError) and "beside --out" in str(inside.exception)
    alone = CliRunner().invoke(app, [*arguments, "--timestamps", str(tmp_path / "alone")])
    assert alone.exit_code == 0 and contents(tmp_path / "alone") == contents(tmp_path / "times")
