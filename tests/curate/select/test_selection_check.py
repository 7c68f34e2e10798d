"""The rules of a selection: each is broken once, and the answer names the rule, the place and the clip."""

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


def test_a_good_selection_is_given_back(good, clips):
    assert check(good, clips, 12) is good


def test_over_the_size(good, clips):
    with pytest.raises(DataError, match=r"at most 11 clips.*12"):
        check(good, clips, 11)


def test_an_id_that_is_not_allowed(good, clips):
    with pytest.raises(DataError, match=r"stop.*allowed.*stop/stranger\.wav"):
        check(altered(good, stop=("stop/stranger.wav",)), clips, 12)


def test_twice(good, clips):
    ids = good.targets["stop"]
    with pytest.raises(DataError, match=rf"stop.*once.*{ids[0]}"):
        check(altered(good, stop=(ids[0], *ids[:2])), clips, 20)


def test_in_two_classes(good, clips):
    stop = good.targets["stop"][0]
    with pytest.raises(DataError, match=rf"one class only.*{stop} in stop and nontargets"):
        check(altered(good, nontargets=(*good.nontargets[1:], stop)), clips, 20)


def test_in_the_wrong_class(good, clips):
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


def test_ids_from_anybody_are_shown_short_and_plain(good, clips):
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
        ("return Selection({'stop': [['a']]}, [])", DataError, "ids, which are texts"),
        ("return Selection([], ())", DataError, "ids, which are texts"),
    ],
)
def test_a_users_selector_is_checked(body, error, match, tmp_path, clips):
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
        ("import beside", "one file, the files beside it are not seen"),
        ("class A:\n def select(self): pass\nclass B(A):\n pass", "the classes A, B"),
    ],
)
def test_a_file_without_a_selector_is_refused(text, match, tmp_path, clips):
    path = tmp_path / "own.py"
    path.write_text(text)
    (tmp_path / "beside.py").touch()
    with pytest.raises(ConfigError, match=match):
        run(str(path), clips, 12, 0)


def test_no_file_and_no_plug(clips, tmp_path):
    with pytest.raises(ConfigError, match="no such file"):
        run(str(tmp_path / "none.py"), clips, 12, 0)
    with pytest.raises(ConfigError, match="facility"):
        run("none", clips, 12, 0)


def test_lists_and_other_texts_are_made_a_plain_selection(tmp_path, clips):
    path = tmp_path / "own.py"
    path.write_text(
        "import numpy as np\nfrom edgekws.curate.select import Selection, load\ndef select(pool, size, seed):\n"
        "    found = load('facility')(pool, size, seed)\n"
        "    return Selection({w: np.array(ids) for w, ids in found.targets.items()}, list(found.nontargets))\n"
    )
    assert run(str(path), clips, 12, 0) == load("facility")(clips, 12, 0)


def test_a_selector_calculates_with_one_thread(tmp_path, clips):
    """With two, sums come out in another order, and a close choice otherwise."""
    from threadpoolctl import threadpool_info

    path = tmp_path / "own.py"
    path.write_text(
        "from threadpoolctl import threadpool_info\nfrom edgekws.curate.select import load\n"
        "def select(pool, size, seed):\n    found = [one['num_threads'] for one in threadpool_info()]\n"
        "    assert found and set(found) == {1}, found\n    return load('facility')(pool, size, seed)\n"
    )
    before = threadpool_info()
    assert run(str(path), clips, 12, 0).size == 12 and threadpool_info() == before


def test_a_pool_without_other_words_is_none_of_the_challenge(clips):
    rows = [row for row, label in enumerate(clips.classes.tolist()) if label >= 0]
    bare = dataclasses.replace(
        clips, ids=tuple(clips.ids[row] for row in rows), classes=clips.classes[rows], vectors=clips.vectors[rows]
    )
    with pytest.raises(ConfigError, match="other words"):
        run("random", bare, 12, 0)
