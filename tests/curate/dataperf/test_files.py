"""Files of the challenge: what is written is read again, and what is damaged or foreign is refused with its place."""

import io
import json
import sys
import zipfile

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from hypothesis import given
from hypothesis import strategies as st

from edgekws.curate.dataperf.formats import lists, npz, pb, words
from edgekws.errors import ArtifactError, ConfigError, DataError, EdgeKwsError

SAMPLES = pb.Samples(("en/a.wav", "en/é.wav", "en/c.wav"), np.array([1, 0, 1], np.int8), np.eye(3, 4, dtype=np.float32))


def official(packed=True):
    """The message class that the published field numbers give."""
    file = descriptor_pb2.FileDescriptorProto(name="s.proto", package="selection", syntax="proto3")
    kind = file.enum_type.add(name="SampleType")
    kind.value.add(name="TARGET", number=0)
    kind.value.add(name="NONTARGET", number=1)
    sample = file.message_type.add(name="Sample")
    sample.field.add(name="sample_type", number=1, label=1, type=14, type_name=".selection.SampleType")
    sample.field.add(name="sample_id", number=2, label=1, type=9)
    vector = sample.field.add(name="mswc_embedding_vector", number=3, label=3, type=2)
    vector.options.packed = packed
    samples = file.message_type.add(name="Samples")
    samples.field.add(name="samples", number=1, label=3, type=11, type_name=".selection.Sample")
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("selection.Samples"))


@pytest.mark.parametrize("packed", [True, False])
def test_samples_of_the_official_library_are_read(packed, tmp_path):
    message = official(packed)()
    for clip, kind, vector in zip(SAMPLES.ids, SAMPLES.types.tolist(), SAMPLES.vectors.tolist(), strict=True):
        message.samples.add(sample_type=kind, sample_id=clip, mswc_embedding_vector=vector)
    (tmp_path / "samples.pb").write_bytes(message.SerializeToString())
    result = pb.read(tmp_path / "samples.pb")
    assert result.ids == SAMPLES.ids
    np.testing.assert_array_equal(result.types, SAMPLES.types)
    np.testing.assert_array_equal(result.vectors, SAMPLES.vectors)


def test_the_official_library_reads_ours():
    message = official().FromString(pb.encode(SAMPLES))
    assert [sample.sample_id for sample in message.samples] == list(SAMPLES.ids)
    assert [sample.sample_type for sample in message.samples] == SAMPLES.types.tolist()
    assert [list(sample.mswc_embedding_vector) for sample in message.samples] == SAMPLES.vectors.tolist()


def test_a_sample_without_a_type_is_a_target(tmp_path):
    message = official()()
    message.samples.add(sample_id="a", mswc_embedding_vector=[1.0])
    (tmp_path / "s.pb").write_bytes(message.SerializeToString())
    assert pb.read(tmp_path / "s.pb").types.tolist() == [pb.TARGET]


def test_every_truncation_of_samples_is_refused_or_ends_between_samples(tmp_path):
    content, path = pb.encode(SAMPLES), tmp_path / "cut.pb"
    whole = {len(pb.encode(pb.Samples(SAMPLES.ids[:n], SAMPLES.types[:n], SAMPLES.vectors[:n]))) for n in (1, 2)}
    for size in set(range(len(content))) - whole:
        path.write_bytes(content[:size])
        with pytest.raises(ArtifactError):
            pb.read(path)


@given(st.binary(max_size=200))
def test_any_bytes_are_either_read_or_refused(tmp_path_factory, content):
    path = tmp_path_factory.getbasetemp() / "foreign.pb"
    path.write_bytes(content)
    try:
        pb.read(path)
    except ArtifactError as error:
        assert "foreign.pb" in str(error)


@pytest.mark.parametrize(
    ("vectors", "types", "printed"),
    [
        ([[1.0, 2.0], [1.0]], [0, 1], "1 numbers"),
        ([[np.nan], [1.0]], [0, 0], "NaN"),
        ([[1.0], [1.0]], [0, 7], "type 7"),
    ],
)
def test_unusable_samples_are_refused_with_their_position(vectors, types, printed, tmp_path):
    rows = [
        pb.encode(pb.Samples((f"w/{n}.wav",), np.array([kind]), np.array([vector], np.float32)))
        for n, (vector, kind) in enumerate(zip(vectors, types, strict=True))
    ]
    (tmp_path / "s.pb").write_bytes(b"".join(rows))
    with pytest.raises(ArtifactError, match=rf"{printed}.*(byte|clip) \d+|type 7 at byte"):
        pb.read(tmp_path / "s.pb")


def test_train_npz_round_trips_and_is_readable_by_numpy(tmp_path):
    x, y = np.random.default_rng(0).normal(size=(6, 5)), np.array([1, 1, 1, 0, 0, 0])
    npz.write(tmp_path / "train.npz", npz.TrainingSet(x, y))
    known, result = np.load(tmp_path / "train.npz", allow_pickle=False), npz.read(tmp_path / "train.npz")
    np.testing.assert_array_equal(known["train_x"], result.x)
    np.testing.assert_array_equal(known["train_y"], result.y)
    with zipfile.ZipFile(tmp_path / "train.npz") as archive:
        assert {member.compress_type for member in archive.infolist()} == {zipfile.ZIP_DEFLATED}


def saved(tmp_path, **arrays):
    np.savez_compressed(tmp_path / "train.npz", **arrays)
    return tmp_path / "train.npz"


X, Y = np.ones((4, 3)), np.array([1, 1, 0, 0])


@pytest.mark.parametrize(
    ("arrays", "printed"),
    [
        ({"train_x": X, "train_y": np.array([1, 1, 0, None], object)}, "pickle"),
        ({"train_x": X}, "train_y"),
        ({"train_x": X[:3], "train_y": Y}, r"\(3, 3\)"),
        ({"train_x": np.where(np.eye(4, 3) > 0, np.nan, X), "train_y": Y}, "row 0"),
        ({"train_x": X, "train_y": Y * 2}, "train_y 2 in row 0"),
        ({"train_x": X.astype("S3"), "train_y": Y}, "type"),
    ],
)
def test_a_train_npz_of_other_content_is_refused(arrays, printed, tmp_path):
    with pytest.raises(ArtifactError, match=printed):
        npz.read(saved(tmp_path, **arrays))


def test_a_pickle_in_train_npz_is_never_run(tmp_path):
    class Bomb:
        def __reduce__(self):
            return (open, (str(tmp_path / "ran"), "w"))

    path = saved(tmp_path, train_x=np.array([Bomb()], object), train_y=Y)
    with pytest.raises(ArtifactError, match="pickle"):
        npz.read(path)
    assert not (tmp_path / "ran").exists()


def test_an_exaggerated_header_is_refused_without_allocating_it(tmp_path):
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "<f8", "fortran_order": False, "shape": (400_000_000, 1)})
    with zipfile.ZipFile(tmp_path / "train.npz", "w") as archive:
        archive.writestr("train_x.npy", header.getvalue() + b"\0" * 64)
        archive.writestr("train_y.npy", header.getvalue())
    with pytest.raises(ArtifactError, match="more or fewer bytes"):
        npz.read(tmp_path / "train.npz")


@pytest.mark.parametrize("share", [0.0, 0.3, 0.6, 0.9, 0.99])
def test_a_truncated_npz_is_refused(share, tmp_path):
    path = saved(tmp_path, train_x=np.random.default_rng(0).normal(size=(30, 9)), train_y=np.repeat([0, 1], 15))
    path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])
    with pytest.raises(ArtifactError):
        npz.read(path)


WORDS = st.text(st.characters(exclude_categories=["C", "Z"], exclude_characters="/\\"), min_size=1, max_size=8)
LISTS = st.builds(
    lambda targets, rest: lists.IdLists(
        {w: tuple(ids) for w, ids in targets.items() if lists.is_word(w)}, tuple(filter(lists.is_word, rest))
    ),
    st.dictionaries(WORDS, st.lists(WORDS, max_size=4), max_size=4),
    st.lists(WORDS, max_size=4),
)


@given(LISTS)
def test_lists_round_trip_in_order_and_agree_with_yaml_and_json(tmp_path_factory, known):
    folder = tmp_path_factory.getbasetemp()
    lists.write_yaml(folder / "eval.yaml", known)
    lists.write_json(folder / "en_25_train.json", known)
    result = lists.read(folder / "eval.yaml")
    assert result == known
    assert list(result.targets) == list(known.targets)
    assert list(lists.read(folder / "en_25_train.json").targets) == sorted(known.targets)
    same = {"targets": {w: list(ids) for w, ids in known.targets.items()}, "nontargets": list(known.nontargets)}
    assert yaml.safe_load((folder / "eval.yaml").read_text()) == same
    text = (folder / "en_25_train.json").read_text()
    assert text == json.dumps(same, sort_keys=True, indent=4)


BOMB = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"{b}: &{b} [{','.join([f'*{a}'] * 9)}]\n" for a, b in zip("abcdefgh", "bcdefghi", strict=True)
)


@pytest.mark.parametrize(
    ("text", "printed"),
    [
        (BOMB, "aliases that stand for more than 1,000,000 entries, line 7"),
        ("targets: {}\nnontargets: [*x]", r"alias \*x of nothing before it, line 2"),
        ("targets: {}\nnontargets: &x [*x]", r"alias \*x of nothing"),
        ("targets: {}\nnontargets: !!python/object/apply:os.system [ls]", r"tag.*python.*line 2"),
        ("targets: {}\nnontargets: !x []", "line 2"),
        ("targets: {no: [a]}\nnontargets: []", "the key no, which YAML does not read as text"),
        ("targets: {bird: [no]}\nnontargets: []", "bird, entry 1 is no .read as bool"),
        ("targets: {bird: [a, ]}\nnontargets: [2001-01-01]", "nontargets, entry 1 is 2001-01-01 .read as timestamp"),
        ("targets: {bird: [12]}\nnontargets: []", "entry 1 is 12"),
        ("targets: {bird: [a], bird: [b]}\nnontargets: []", "bird twice.*line 1"),
        ("targets: [bird]\nnontargets: []", "targets is a list"),
        ("targets: {}\nnontargets:", "nontargets is empty"),
        ("targets: {}", "no nontargets"),
        ("targets: {}\nnontargets: []\nother: []", "unknown key other"),
        ("targets: {}\nnontargets: []\n---\nb: 1", "second document"),
        ("targets: {bird: [a}\n", "line 1"),
        ("[" * 200, "line 1|levels"),
        ("- a\n", "a list at the top"),
        ("", "empty at the top"),
        ("targets: {../bird: [a]}\nnontargets: []", "the target '../bird'"),
        ('{"targets": {"a": ["x"], "a": []}, "nontargets": []}', "the key a twice"),
        ('{"targets": {"a": [null]}, "nontargets": []}', "entry 1 is empty"),
        ('{"targets": {"a": {"x": 1}}, "nontargets": []}', "targets, a is a mapping"),
        ("\x00", "line|characters"),
    ],
)
def test_malformed_lists_are_refused_with_the_position(text, printed, tmp_path):
    (tmp_path / "eval.yaml").write_text(text)
    with pytest.raises(ArtifactError, match=printed) as caught:
        lists.read(tmp_path / "eval.yaml")
    assert "eval.yaml" in str(caught.value)


def test_an_alias_is_the_list_of_its_anchor(tmp_path):
    value = ["a", "b"]
    (tmp_path / "eval.yaml").write_text(yaml.dump({"targets": {"x": value}, "nontargets": value}, sort_keys=False))
    assert "&id001" in (tmp_path / "eval.yaml").read_text()
    assert lists.read(tmp_path / "eval.yaml") == lists.IdLists({"x": ("a", "b")}, ("a", "b"))


def test_deeply_nested_json_is_refused(tmp_path):
    (tmp_path / "t.json").write_text('{"targets":' + "[" * 100_000)
    with pytest.raises(ArtifactError, match=r"t\.json"):
        lists.read(tmp_path / "t.json")


@given(st.text(max_size=60))
def test_any_text_is_either_read_or_refused(tmp_path_factory, text):
    path = tmp_path_factory.getbasetemp() / "any.yaml"
    path.write_text(text, encoding="utf-8", errors="surrogatepass")
    try:
        lists.read(path)
    except ArtifactError as error:
        assert "any.yaml" in str(error)


@pytest.mark.parametrize("kind", ["float16", "float32", "float64"])
def test_words_round_trip_in_their_own_type(kind, tmp_path):
    vectors = np.random.default_rng(0).normal(size=(5, 7)).astype(kind)
    words.write(tmp_path / "w.parquet", map(str, range(5)), vectors)
    result = words.read(tmp_path / "w.parquet")
    assert result.ids == list("01234")
    assert result.dtype == np.dtype(kind)
    np.testing.assert_array_equal(result.vectors(range(5)), vectors)
    np.testing.assert_array_equal(result.vectors([3, 0, 3]), vectors[[3, 0, 3]])


@pytest.mark.parametrize("form", ["list", "large_list", "fixed", "chunks", "categories", "large_string"])
def test_words_of_any_list_type_and_of_several_row_groups_are_read(form, tmp_path):
    vectors = np.arange(12, dtype=np.float32).reshape(4, 3)
    kinds = {"large_list": pa.large_list(pa.float32()), "fixed": pa.list_(pa.float32(), 3)}
    column = pa.array(vectors.tolist(), kinds.get(form, pa.list_(pa.float32())))
    texts = {"categories": pa.dictionary(pa.int8(), pa.string()), "large_string": pa.large_string()}
    ids = pa.array(list("abcd")).cast(texts.get(form, pa.string()))
    table = pa.table({"other": [1, 2, 3, 4], "clip_id": ids, "mswc_embedding_vector": column})
    pq.write_table(table, tmp_path / "w.parquet", row_group_size=2 if form == "chunks" else 4)
    np.testing.assert_array_equal(words.read(tmp_path / "w.parquet").vectors([1, 2]), vectors[1:3])


F32 = pa.list_(pa.float32())


@pytest.mark.parametrize(
    ("columns", "printed"),
    [
        ({"id": ["a"], "mswc_embedding_vector": pa.array([[1.0]], F32)}, "no column clip_id; there are id"),
        ({"clip_id": ["a"], "vector": pa.array([[1.0]], F32)}, "no column mswc_embedding_vector"),
        ({"clip_id": ["a"], "mswc_embedding_vector": [1.0]}, "of type double"),
        ({"clip_id": ["a"], "mswc_embedding_vector": [["x"]]}, "of type list<"),
        ({"clip_id": [1], "mswc_embedding_vector": pa.array([[1.0]], F32)}, "clip_id of type int64"),
        ({"clip_id": ["a", None], "mswc_embedding_vector": pa.array([[1.0], [2.0]], F32)}, "1 clips without an id"),
        ({"clip_id": ["a", "b"], "mswc_embedding_vector": pa.array([[1.0], [1.0, 2.0]], F32)}, "2 numbers for b"),
        ({"clip_id": ["a", "b"], "mswc_embedding_vector": pa.array([[1.0], None], F32)}, "no vector for b"),
        ({"clip_id": ["a", "b"], "mswc_embedding_vector": pa.array([[1.0], [np.nan]], F32)}, "vector of b .row 2"),
        ({"clip_id": ["a", "b"], "mswc_embedding_vector": pa.array([[1.0], [None]], F32)}, "NaN .* of b"),
        ({"clip_id": ["a"], "mswc_embedding_vector": pa.array([[]], F32)}, "0 numbers for a"),
    ],
)
def test_a_parquet_of_other_columns_or_vectors_is_refused(columns, printed, tmp_path):
    pq.write_table(pa.table(columns), tmp_path / "w.parquet")
    with pytest.raises(ArtifactError, match=printed) as caught:
        word = words.read(tmp_path / "w.parquet")
        word.vectors(range(len(word.ids)))
    assert "w.parquet" in str(caught.value)


@pytest.mark.parametrize("share", [0.0, 0.4, 0.8, 0.99])
def test_a_truncated_or_foreign_parquet_is_refused(share, tmp_path):
    path = tmp_path / "w.parquet"
    words.write(path, map(str, range(50)), np.ones((50, 9)))
    path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])
    with pytest.raises(ArtifactError, match=r"w\.parquet"):
        words.read(path)


def test_a_word_file_is_located_by_either_unicode_form(tmp_path):
    words.write(tmp_path / "ac\u0327a\u0303o.parquet", ["a"], np.ones((1, 2)))
    assert words.path_of(tmp_path, "ação").exists()
    with pytest.raises(DataError, match=r"não\.parquet"):
        words.path_of(tmp_path, "não")


@pytest.mark.parametrize(("module", "use"), [("pyarrow", words.read), ("yaml", lists.read)])
def test_a_missing_package_is_named_with_what_to_install(module, use, tmp_path, monkeypatch):
    (tmp_path / "w").write_text("targets: {}")
    for name in [name for name in sys.modules if name.partition(".")[0] == module]:
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(ConfigError, match=rf'{module}.*pip install "edgekws\[select\]"'):
        use(tmp_path / "w")


def test_every_error_has_a_documented_exit_code():
    assert {ArtifactError.exit_code, DataError.exit_code, EdgeKwsError.exit_code} == {8, 3, 1}
