"""The bars of scripts/structure.py hold, and what it counts is what it says."""

from __future__ import annotations

import pytest

from scripts import structure

TABLE = "ROWS = Operation('add', 2), Operation('max_pool')\n"


@pytest.mark.parametrize("bar", structure.BARS, ids=lambda bar: bar.__name__)
def test_the_bar_holds(bar):
    checked = bar()
    assert not checked.misses, "\n".join([f"{checked.name}: {checked.figure}", *checked.misses])


@pytest.fixture
def repository(tmp_path, monkeypatch):
    """A function that makes structure.py read these files, {path: text}, in the place of the repository."""

    def write(files):
        for path, text in files.items():
            (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / path).write_text(text)
        monkeypatch.setattr(structure, "tracked", lambda: tuple(sorted(files)))
        forget()

    def forget():
        for name in ("modules", "tree", "imports", "arrows"):
            getattr(structure, name).cache_clear()

    monkeypatch.setattr(structure, "ROOT", tmp_path)
    yield write
    forget()


def test_a_circle_of_lazy_and_type_only_imports_is_printed_with_its_lines(repository):
    type_only = "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from edgekws.b.inner import Y\n"
    lazy = "def late():\n    from edgekws import c\n"
    repository(
        {
            "edgekws/__init__.py": "",
            "edgekws/a/__init__.py": type_only,
            "edgekws/b/__init__.py": "",
            "edgekws/b/inner.py": lazy,
            "edgekws/c.py": "import edgekws.a\n",
        }
    )
    told = structure.circles()
    assert told[:2] == [
        "3 rooms: edgekws.a, edgekws.b, edgekws.c",
        "  edgekws.a -> edgekws.b -> edgekws.c -> edgekws.a",
    ]
    assert told[2:] == [
        "    edgekws/a/__init__.py:3 imports edgekws.b.inner.Y",
        "    edgekws/b/inner.py:2 imports edgekws.c",
        "    edgekws/c.py:1 imports edgekws.a",
    ]


def test_modules_of_one_package_may_import_each_other(repository):
    repository(
        {
            "edgekws/a/__init__.py": "from edgekws.a import one\n",
            "edgekws/a/one.py": "from edgekws.a import two\n",
            "edgekws/a/two.py": "from edgekws.a import one\n",
        }
    )
    assert structure.circles() == []


def test_private_parts_are_at_home_in_their_folder_and_below(repository):
    repository(
        {
            "edgekws/a/__init__.py": "from edgekws.a._inner import X\n",
            "edgekws/a/_inner.py": "X = _y = 1\n",
            "edgekws/a/below/__init__.py": "from edgekws.a._inner import X, _y\nfrom edgekws.a import _inner\n",
            "edgekws/b.py": "from edgekws.a._inner import X\n",
            "edgekws/c.py": "from edgekws import a\na._hidden\na.__doc__\n",
        }
    )
    assert structure.private_imports() == [
        "edgekws/b.py:1 imports edgekws.a._inner.X",
        "edgekws/c.py:2 imports edgekws.a._hidden",
    ]


def test_functions_are_counted_without_docstrings_comments_and_blank_lines(repository):
    text = 'def f(x):\n    """Two\n\n    lines."""\n\n    # why\n    return x\n'
    repository({"edgekws/a.py": text})
    assert structure.function_lengths() == [(2, "edgekws/a.py:1 f")]


def test_ops_are_found_as_strings_and_as_enumerators(repository):
    repository(
        {
            "edgekws/graph/__init__.py": "",
            "edgekws/graph/ops.py": TABLE,
            "edgekws/emit.py": 'from edgekws.graph.ops import OPS\n"add"\n{"max_pool": 1}\n',
            "edgekws/other.py": 'KIND = "add"\n',
            "firmware_io/kernels.h": "typedef enum { EKW_OP_ADD, EKW_OTHER } ekw_op;\n",
        }
    )
    assert structure.op_files() == {
        "add": ["edgekws/graph/ops.py", "firmware_io/kernels.h"],
        "max_pool": ["edgekws/emit.py", "edgekws/graph/ops.py"],
    }


def test_the_table_says_which_bar_fails_and_the_exit_code_that_one_does(repository, capsys):
    repository(
        {
            "edgekws/__init__.py": "",
            "edgekws/graph/__init__.py": "",
            "edgekws/graph/ops.py": TABLE + "def f(): pass\ndef g(): pass\n",
        }
    )
    assert structure.main() == 0
    repository({"edgekws/graph/ops.py": TABLE + "def f(): pass\ndef g(): pass\n" + "# line\n" * 400})
    assert structure.main() == 1
    assert "FAILS  lines of a file" in capsys.readouterr().out
