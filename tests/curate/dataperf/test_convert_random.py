"""Random pools and selections, through every form and back."""

import json
import shutil

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from edgekws.curate.dataperf import convert
from edgekws.curate.dataperf.convert import Request
from edgekws.curate.dataperf.formats import lists, npz, pb
from edgekws.curate.dataperf.formats.lists import FirstLists
from edgekws.curate.dataperf.scorer import first_generation

WORD = st.text(st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="/\\"), min_size=1, max_size=8).filter(
    lists.is_word
)


@st.composite
def pools(draw):
    """A pool of one target word, clips interleaved, and rows of each class that are chosen, in any order."""
    words = draw(st.lists(WORD, min_size=2, max_size=5, unique=True))
    clips = [f"x/clips/{word}/{n}.wav" for word in words for n in range(draw(st.integers(1, 4)))]
    order = draw(st.permutations(range(len(clips))))
    ids = tuple(clips[place] for place in order)
    types = np.array([int(not clip.startswith(f"x/clips/{words[0]}/")) for clip in ids], np.int8)
    numbers = draw(st.integers(1, 4))
    finite = st.floats(width=32, allow_nan=False, allow_infinity=False)
    rows = draw(st.lists(st.lists(finite, min_size=numbers, max_size=numbers), min_size=len(ids), max_size=len(ids)))
    chosen = [
        draw(st.lists(st.sampled_from(np.flatnonzero(types == kind).tolist()), min_size=1, unique=True))
        for kind in (pb.TARGET, pb.NONTARGET)
    ]
    return pb.Samples(ids, types, np.array(rows, np.float32)), chosen


@settings(max_examples=40, deadline=None)
@given(pools())
def test_a_pool_survives_conversion_to_a_folder_and_back(tmp_path_factory, made):
    pool, _ = made
    folder = tmp_path_factory.getbasetemp() / "random"
    shutil.rmtree(folder, ignore_errors=True)
    pb.write(folder / "samples.pb", pool)
    convert.convert(Request(folder / "samples.pb", folder / "pool"))
    listed = folder / "pool" / "allowed_training_set.yaml"
    convert.convert(Request(listed, folder / "again.pb", embeddings=folder / "pool" / "train_embeddings"))
    again = pb.read(folder / "again.pb")
    place = {clip: row for row, clip in enumerate(again.ids)}
    rows = [place[clip.removeprefix("x/clips/")] for clip in pool.ids]
    assert sorted(rows) == list(range(len(pool.ids)))
    assert again.types[rows].tobytes() == pool.types.tobytes()
    assert again.vectors[rows].tobytes() == pool.vectors.tobytes()


@settings(max_examples=40, deadline=None)
@given(pools())
def test_a_selection_survives_every_format_and_trains_the_same(tmp_path_factory, made):
    pool, chosen = made
    folder = tmp_path_factory.getbasetemp() / "random"
    shutil.rmtree(folder, ignore_errors=True)
    pb.write(folder / "samples.pb", pool)
    known = FirstLists(*(tuple(pool.ids[row] for row in rows) for rows in chosen))
    lists.write_first(folder / "train.yaml", known)
    ways = ("a.json", "json"), ("b.yaml", "yaml"), ("c.yaml", "ids"), ("d.npz", "npz")
    source = folder / "train.yaml"
    for name, form in ways:
        convert.convert(Request(source, folder / name, form, folder / "samples.pb"))
        source = folder / name
    assert lists.read_first(folder / "c.yaml") == known
    value = json.loads((folder / "a.json").read_text())
    assert [f"x/clips/{clip}" for clip in value["nontargets"]] == list(known.nontargets)
    expected, result = first_generation.training(known, pool, "pool"), npz.read(folder / "d.npz")
    assert result.x.tobytes() == expected.x.tobytes() and result.y.tolist() == expected.y.tolist()
