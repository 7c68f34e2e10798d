"""The rules of a selection: each is broken once; the error names the rule, the class and the clip."""

import dataclasses

import pytest

from edgekws.curate.select import Selection, load
from edgekws.curate.select.check import check
from edgekws.curate.select.run import run
from edgekws.errors import ConfigError, DataError
from tests.curate.select.pools import pool


@pytest.fixture(scope="module")
def clips():
    return pool()


@pytest.fixture
def good(clips):
    return load("facility")(clips, 12, 0)


def altered(good, nontargets=None, **targets):
    return Selection(good.targets | targets, good.nontargets if nontargets is None else nontargets)


def test_a_valid_selection_is_returned(good, clips):
    assert check(good, clips, 12) is good


def test_too_many_clips(good, clips):
    with pytest.raises(DataError, match=r"at most 11 clips.*12"):
        check(good, clips, 11)


def test_an_id_outside_the_pool(good, clips):
    with pytest.raises(DataError, match=r"stop.*allowed.*stop/unknown\.wav"):
        check(altered(good, stop=("stop/unknown.wav",)), clips, 12)


def test_a_repeated_id(good, clips):
    ids = good.targets["stop"]
    with pytest.raises(DataError, match=rf"stop.*once.*{ids[0]}"):
        check(altered(good, stop=(ids[0], *ids[:2])), clips, 20)


def test_an_id_in_two_classes(good, clips):
    stop = good.targets["stop"][0]
    with pytest.raises(DataError, match=rf"one class only.*{stop} in stop and nontargets"):
        check(altered(good, nontargets=(*good.nontargets[1:], stop)), clips, 20)


def test_an_id_in_the_wrong_class(good, clips):
    cat = next(name for name in clips.ids if name.startswith("cat") and name not in good.nontargets)
    with pytest.raises(DataError, match=rf"stop.*own clips.*{cat}, which is one of nontargets"):
        check(altered(good, stop=(cat,)), clips, 20)


@pytest.mark.parametrize("change", [{"stop": ()}, {"nontargets": ()}])
def test_an_empty_class(change, good, clips):
    with pytest.raises(DataError, match="one clip or more"):
        check(altered(good, **change), clips, 12)


def test_a_missing_target_is_an_empty_one(good, clips):
    bare = {word: ids for word, ids in good.targets.items() if word != "stop"}
    with pytest.raises(DataError, match="stop should have one clip"):
        check(dataclasses.replace(good, targets=bare), clips, 12)


def test_an_unknown_target(good, clips):
    with pytest.raises(DataError, match=r"words of the pool.*bird"):
        check(altered(good, bird=("bird/1.wav",)), clips, 20)


def test_untrusted_ids_are_shortened_and_escaped(good, clips):
    with pytest.raises(DataError) as caught:
        check(altered(good, stop=("\x1b[2J" + "x" * 1000,)), clips, 12)
    assert "\x1b" not in str(caught.value) and len(str(caught.value)) < 400


@pytest.mark.parametrize(
    ("body", "error", "match"),
    [
        ("return None", DataError, "should return a Selection"),
        ("return 1 / 0", DataError, "ZeroDivisionError"),
        ("return Selection({'stop': pool.ids[:99]}, ())", DataError, "bad selection"),
        ("raise SystemError('x')", DataError, "SystemError"),
        ("raise SystemExit(0)", DataError, "SystemExit: 0"),
        ("return Selection({'stop': [['a']]}, [])", DataError, "ids, which are strings"),
        ("return Selection([], ())", DataError, "ids, which are strings"),
    ],
)
def test_errors_of_a_users_selector(body, error, match, tmp_path, clips):
    path = tmp_path / "own.py"
    path.write_text(f"from edgekws.curate.select import Selection\ndef select(pool, size, seed):\n    {body}\n")
    with pytest.raises(error, match=match):
        run(str(path), clips, 12, 0)


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("def broken(:", "SyntaxError"),
        ("import no_such_module", "no_such_module"),
        ("x = 1", "neither"),
        ("raise SystemExit(0)", "SystemExit"),
        ("import beside", "one file and cannot import files beside it"),
        ("class A:\n def select(self): pass\nclass B(A):\n pass", "the classes A, B"),
    ],
)
def test_a_file_without_a_selector_is_refused(text, match, tmp_path, clips):
    path = tmp_path / "own.py"
    path.write_text(text)
    (tmp_path / "beside.py").touch()
    with pytest.raises(ConfigError, match=match):
        run(str(path), clips, 12, 0)


def test_a_missing_file_and_an_unknown_plugin(clips, tmp_path):
    with pytest.raises(ConfigError, match="no such file"):
        run(str(tmp_path / "none.py"), clips, 12, 0)
    with pytest.raises(ConfigError, match="facility"):
        run("none", clips, 12, 0)


def test_arrays_and_lists_become_tuples_of_str(tmp_path, clips):
    path = tmp_path / "own.py"
    path.write_text(
        "import numpy as np\nfrom edgekws.curate.select import Selection, load\ndef select(pool, size, seed):\n"
        "    chosen = load('facility')(pool, size, seed)\n"
        "    return Selection({w: np.array(ids) for w, ids in chosen.targets.items()}, list(chosen.nontargets))\n"
    )
    assert run(str(path), clips, 12, 0) == load("facility")(clips, 12, 0)


def test_a_selector_runs_with_one_thread(tmp_path, clips):
    """With two, the order of summation changes and may decide close ties differently."""
    from threadpoolctl import threadpool_info

    path = tmp_path / "own.py"
    path.write_text(
        "from threadpoolctl import threadpool_info\nfrom edgekws.curate.select import load\n"
        "def select(pool, size, seed):\n    counts = [one['num_threads'] for one in threadpool_info()]\n"
        "    assert counts and set(counts) == {1}, counts\n    return load('facility')(pool, size, seed)\n"
    )
    before = threadpool_info()
    assert run(str(path), clips, 12, 0).size == 12 and threadpool_info() == before


def test_a_pool_without_other_words_is_refused(clips):
    rows = [row for row, label in enumerate(clips.classes.tolist()) if label >= 0]
    bare = dataclasses.replace(
        clips, ids=tuple(clips.ids[row] for row in rows), classes=clips.classes[rows], vectors=clips.vectors[rows]
    )
    with pytest.raises(ConfigError, match="other words"):
        run("random", bare, 12, 0)
