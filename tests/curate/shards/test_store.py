"""Shards in any form give one store; errors name the file and row."""

import json

import numpy as np
import pyarrow
import pytest
from pyarrow import parquet

from edgekws.curate.shards import arithmetic, build, source, store
from edgekws.curate.workers import process
from edgekws.errors import ArtifactError, DataError, EdgeKwsError
from tests.curate.shards.clips import SMALL, KilledError, clips, shard, silent, until


def built(folder, work):
    with process.start(1) as engine:
        return build.build(folder, work, engine, SMALL, silent)


def content(work):
    return {path.name: path.read_bytes() for path in work.glob("part-*")}


def test_any_sharding_and_any_order_give_the_same_bytes(tmp_path):
    ids, vectors = clips()
    shuffled = np.random.default_rng(5).permutation(len(ids))
    forms = [(1, None), (2, None), (7, None), (7, shuffled)]
    result = []
    for number, (shards, order) in enumerate(forms):
        made = built(shard(tmp_path / f"d{number}", ids, vectors, shards, order), tmp_path / f"w{number}")
        result.append((made.fingerprint(), content(made.folder)))
    assert all(entry == result[0] for entry in result)
    assert len(result[0][1]) == 2 * 5


def test_every_clip_occurs_once_with_its_vector(tmp_path):
    ids, vectors = clips()
    made = built(shard(tmp_path / "d", ids, vectors, 3), tmp_path / "w")
    rows = np.arange(made.rows)
    names = made.ids(rows)
    assert sorted(names) == sorted(ids)
    place = {name: number for number, name in enumerate(ids)}
    assert (made.vectors(rows) == arithmetic.quantize(vectors[[place[name] for name in names]])).all()
    hashes = np.concatenate([made.places(part) for part in range(len(made.parts))])
    assert (np.diff(hashes.astype(object)) > 0).all()
    words = np.concatenate([made.word_numbers(part) for part in range(len(made.parts))])
    assert [made.words[number] for number in words] == [name.partition("/")[0] for name in names]
    some = np.array([250, 3, 3, 99])
    assert made.ids(some) == [names[i] for i in some]
    assert (made.vectors(some) == made.vectors(rows)[some]).all()
    assert not list((tmp_path / "w").glob("pieces-*"))


def test_a_store_is_made_once_and_again_when_a_shard_changes(tmp_path):
    ids, vectors = clips(120)
    folder = shard(tmp_path / "d", ids, vectors, 2)
    first = built(folder, tmp_path / "w")
    stamp = (tmp_path / "w" / "store.json").stat().st_mtime_ns
    assert built(folder, tmp_path / "w") == first
    assert (tmp_path / "w" / "store.json").stat().st_mtime_ns == stamp
    shard(folder, ids, vectors + 1, 2)
    changed = built(folder, tmp_path / "w")
    assert changed.fingerprint() != first.fingerprint()
    assert changed.fingerprint() == built(folder, tmp_path / "fresh").fingerprint()


def test_word_shards_without_slashes_take_the_word_from_the_file(tmp_path):
    vectors = clips(40)[1]
    for word in ("yes", "no"):
        source.write(tmp_path / "d" / f"{word}.parquet", [([f"{word}{i}" for i in range(20)], vectors[:20])])
    assert built(tmp_path / "d", tmp_path / "w").words == ("no", "yes")


def test_lists_of_every_kind_are_read(tmp_path):
    ids, vectors = clips(40)
    kinds = (
        pyarrow.list_(pyarrow.float64()),
        pyarrow.large_list(pyarrow.float32()),
        pyarrow.list_(pyarrow.float32(), 24),
    )
    expected = built(shard(tmp_path / "d", ids, vectors), tmp_path / "w").fingerprint()
    for number, kind in enumerate(kinds):
        folder = tmp_path / f"k{number}"
        folder.mkdir()
        column = pyarrow.array(vectors.tolist(), kind)
        parquet.write_table(pyarrow.table({source.ID: ids, source.VECTOR: column}), folder / "a.parquet")
        assert built(folder, tmp_path / f"kw{number}").fingerprint() == expected


def test_vectors_of_zeros_are_skipped_and_counted(tmp_path):
    ids, vectors = clips(60)
    vectors[7] = 0
    made = built(shard(tmp_path / "d", ids, vectors, 2), tmp_path / "w")
    assert (made.rows, made.left_out) == (59, 1)
    assert ids[7] not in made.ids(np.arange(59))
    with pytest.raises(DataError, match="60 vectors of zeros"):
        built(shard(tmp_path / "z", ids, vectors * 0, 2), tmp_path / "wz")


def table(ids, vectors, kind=None):
    return pyarrow.table({source.ID: ids, source.VECTOR: pyarrow.array(vectors, kind)})


FOUR = [[1.0, 2.0], [3.0, 4.0], [5.0, 6.0], [7.0, 8.0]]
NAMES = ["a/1", "a/2", "a/3", "a/4"]
FLOATS = pyarrow.list_(pyarrow.float32())
BAD = {
    "nan": (table(NAMES, [*FOUR[:2], [1.0, float("nan")], FOUR[3]], FLOATS), r"b\.parquet, row 2: .*finite"),
    "infinite": (table(NAMES, [[float("inf"), 1.0], *FOUR[1:]], FLOATS), r"b\.parquet, row 0: .*finite"),
    "ragged": (table(NAMES, [*FOUR[:3], [1.0]], FLOATS), r"b\.parquet, row 3: .*2 numbers.*Got: 1"),
    "missing": (table(NAMES, [FOUR[0], None, *FOUR[2:]], FLOATS), r"b\.parquet, row 1: .*should be there"),
    "hole": (table(NAMES, [[1.0, None], *FOUR[1:]], FLOATS), r"b\.parquet, row 0: .*finite"),
    "no id": (table(["a/1", None, "a/3", "a/4"], FOUR, FLOATS), r"b\.parquet, row 1: clip_id.*None"),
    "ids are numbers": (table([1, 2, 3, 4], FOUR, FLOATS), r"b\.parquet, row 0: clip_id should be text"),
    "text": (table(NAMES, ["x"] * 4), r"b\.parquet.*list of floats"),
    "integers": (table(NAMES, [[1, 2]] * 4), r"b\.parquet.*list of floats.*int64"),
    "column": (pyarrow.table({source.ID: NAMES, "embedding": FOUR}), r"b\.parquet.*columns clip_id, embedding"),
    "dimensions": (table(NAMES, [[1.0, 2.0, 3.0]] * 4, FLOATS), r"vectors of 2 numbers.*Got: 3"),
    "twice": (table(["g/1", "a/2", "a/1", "a/3"], FOUR, FLOATS), r"g/1 in .*a\.parquet, row 0 and .*b\.parquet, row 0"),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD)
def test_bad_shards_are_refused_with_file_and_row(case, tmp_path):
    bad, message = BAD[case]
    folder = tmp_path / "d"
    folder.mkdir()
    parquet.write_table(table(["g/1", "g/2"], FOUR[:2], FLOATS), folder / "a.parquet")
    parquet.write_table(bad, folder / "b.parquet")
    with pytest.raises(DataError, match=message):
        built(folder, tmp_path / "w")
    assert not (tmp_path / "w" / "store.json").exists()


@pytest.mark.parametrize("damage", [b"", b"PAR1 and no more", None])
def test_foreign_and_truncated_files_are_refused(damage, tmp_path):
    ids, vectors = clips(80)
    path = shard(tmp_path / "d", ids, vectors) / "shard0.parquet"
    path.write_bytes(path.read_bytes()[:-100] if damage is None else damage)
    with pytest.raises(DataError, match=r"shard0\.parquet should be a parquet file"):
        built(tmp_path / "d", tmp_path / "w")


def test_a_corrupt_shard_is_refused(tmp_path):
    ids, vectors = clips(80)
    path = shard(tmp_path / "d", ids, vectors) / "shard0.parquet"
    content = bytearray(path.read_bytes())
    content[4:24] = b"\xff" * 20
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"shard0\.parquet"):
        built(tmp_path / "d", tmp_path / "w")


def test_a_folder_without_shards_is_refused(tmp_path):
    with pytest.raises(DataError, match="should hold parquet files"):
        built(tmp_path, tmp_path / "w")


def test_a_store_that_lost_rows_or_fields_is_refused(tmp_path):
    ids, vectors = clips(80)
    folder = shard(tmp_path / "d", ids, vectors)
    made = built(folder, tmp_path / "w")
    path = store.q8_path(made.folder, 0)
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(ArtifactError, match=r"part-00000\.q8.*delete"):
        made.read(0, 0, made.parts[0].rows)
    with pytest.raises(ArtifactError, match=r"part-00000\.q8"):
        made.vectors(np.arange(made.parts[0].rows))
    manifest = made.folder / "store.json"
    value = json.loads(manifest.read_text())
    del value["parts"]
    manifest.write_text(json.dumps(value))
    with pytest.raises(ArtifactError, match="parts"):
        built(folder, tmp_path / "w")


def test_a_killed_build_continues(tmp_path, monkeypatch):
    ids, vectors = clips()
    folder = shard(tmp_path / "d", ids, vectors, 7)
    whole = built(folder, tmp_path / "whole")
    reads = []
    original = source.read
    monkeypatch.setattr(source, "read", lambda *a: (reads.append(a), original(*a))[1])
    for moment in range(1, 40):
        with process.start(1) as engine:
            try:
                made = build.build(folder, tmp_path / "w", engine, SMALL, until(moment))
            except KilledError:
                continue
        break
    assert made.fingerprint() == whole.fingerprint()
    assert content(tmp_path / "w") == content(tmp_path / "whole")
    assert len(reads) == len(source.units(source.shards(folder), SMALL.part_rows))  # none was read twice


def test_all_errors_can_cross_processes():
    import pickle

    for error in (DataError("a", got="b", hint="c"), ArtifactError("x")):
        copy = pickle.loads(pickle.dumps(error))
        assert isinstance(copy, EdgeKwsError)
        assert (str(copy), copy.got, copy.hint) == (str(error), error.got, error.hint)


def test_a_shard_of_one_row_group_is_streamed(tmp_path):
    ids, vectors = clips(20_000, 128)
    path = shard(tmp_path / "d", ids, vectors, group_rows=20_000) / "shard0.parquet"
    assert parquet.ParquetFile(path).metadata.num_row_groups == 1
    held, before = [], pyarrow.total_allocated_bytes()
    for _ in source.read([source.Span(str(path), 0, 1, 0)], 512):
        held.append(pyarrow.total_allocated_bytes() - before)
    assert len(held) == 40
    assert max(held) < path.stat().st_size / 2


def test_a_row_group_larger_than_a_part_is_written_in_pieces(tmp_path, monkeypatch):
    ids, vectors = clips()
    monkeypatch.setattr(build, "_READ_ROWS", 32)
    sizes = []
    original = build._write_piece
    monkeypatch.setattr(build, "_write_piece", lambda *a: (sizes.append(sum(len(r) for r, _ in a[2])), original(*a))[1])
    made = built(shard(tmp_path / "one", ids, vectors, group_rows=300), tmp_path / "w1")
    assert sizes == [64, 64, 64, 64, 44]
    assert made.fingerprint() == built(shard(tmp_path / "many", ids, vectors, 7), tmp_path / "w2").fingerprint()
