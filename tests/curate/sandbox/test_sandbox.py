"""A sealed selector really cannot: each test is a selector that tries, behind each wall that this computer has."""

from __future__ import annotations

import os
import socket
import textwrap
import threading
import time

import pytest

from edgekws.curate import sandbox
from edgekws.curate.sandbox import Limits
from edgekws.curate.select.run import run, run_sealed
from edgekws.errors import ConfigError, DataError, EdgeKwsError
from tests.curate.select.pools import pool

HERE = [name for name, missing in sandbox.walls().items() if not missing]
KERNEL = [name for name in HERE if name != "plain"]
CHOOSES = """
    from edgekws.curate.select import load
    return load("facility")(pool, size, seed)
"""


@pytest.fixture(scope="module")
def clips():
    return pool(each=8)


@pytest.fixture
def attempt(tmp_path, clips):
    """Runs a selector whose first lines are given, behind a wall; gives (selection, how)."""

    def start(lines, wall, limits=None):
        path = tmp_path / "attempt.py"
        body = textwrap.indent(textwrap.dedent(lines).strip() + textwrap.dedent(CHOOSES), "    ")
        path.write_text(f"def select(pool, size, seed):\n{body}\n")
        return run_sealed(str(path), clips, 10, 0, limits=limits, wall=wall)

    return start


@pytest.mark.parametrize("wall", HERE)
@pytest.mark.parametrize("name", ["honed", "kmeans"])
def test_behind_a_wall_the_selection_is_the_same(wall, name, clips):
    found, how = run_sealed(name, clips, 10, 3, wall=wall)
    assert found == run(name, clips, 10, 3)
    assert how.wall == wall and how.seconds > 0 and how.peak_bytes > 10 << 20


@pytest.mark.parametrize("wall", HERE)
def test_a_socket_does_not_reach_even_this_computer(wall, attempt):
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        server.settimeout(0.2)
        with pytest.raises(EdgeKwsError, match=r"PermissionError|OSError|ConnectionRefusedError|unreachable|refused"):
            attempt(f"import socket; socket.create_connection(('127.0.0.1', {port}), timeout=2)", wall)
        with pytest.raises(TimeoutError):
            server.accept()


@pytest.mark.parametrize("wall", HERE)
def test_a_selector_without_malice_passes_where_the_server_would_be_reached(wall, attempt):
    """The other tests' selectors would choose well if they were let: the wall is what stops them."""
    assert attempt("pass", wall)[0].size == 10


@pytest.mark.parametrize("wall", HERE)
def test_nothing_is_written_beside_the_output_folder(wall, attempt, tmp_path):
    stranger = tmp_path / "stranger"
    with pytest.raises(EdgeKwsError, match=r"Permission|No such file|Read-only"):
        attempt(f"open({str(stranger)!r}, 'w').write('x')", wall)
    assert not stranger.exists()


@pytest.mark.parametrize("wall", HERE)
def test_inputs_are_read_only(wall, attempt):
    with pytest.raises(EdgeKwsError, match=r"Permission|Read-only"):
        attempt("import pathlib; p = pathlib.Path(__file__).parent / 'pool.npz'; p.write_bytes(b'')", wall)


@pytest.mark.parametrize("wall", KERNEL)
def test_other_files_of_this_computer_are_not_even_seen(wall, attempt, tmp_path):
    secret = tmp_path / "eval.yaml"
    secret.write_text("targets: {}")
    with pytest.raises(EdgeKwsError, match=r"FileNotFoundError"):
        attempt(f"open({str(secret)!r}).read()", wall)


@pytest.mark.parametrize("wall", KERNEL)
def test_native_code_cannot_take_the_wall_down(wall, attempt, tmp_path):
    """As root of its own namespaces it could mount; so it must not be."""
    lines = """
        import ctypes, subprocess
        libc = ctypes.CDLL(None, use_errno=True)
        refused = [libc.mount(b"none", b"/in", None, 32 | 4096, None), libc.mount(b"t", b"/tmp", b"tmpfs", 0, None)]
        refused.append(libc.sethostname(b"x", 1))
        done = subprocess.run(["unshare", "-r", "-m", "sh", "-c", "mount -o remount,bind,rw /in && echo x > /in/new"])
        assert all(refused) and done.returncode != 0, (refused, done)
    """
    assert attempt(lines, wall)[0].size == 10


@pytest.mark.parametrize("wall", KERNEL)
def test_other_processes_are_out_of_reach(wall, attempt):
    lines = f"""
        import os
        try:
            os.kill({os.getpid()}, 0)
        except ProcessLookupError:
            pass
        else:
            raise RuntimeError("reached")
    """
    assert attempt(lines, wall)[0].size == 10


@pytest.mark.parametrize("wall", HERE)
def test_a_selector_that_never_ends_is_stopped(wall, attempt):
    begin = time.monotonic()
    with pytest.raises(EdgeKwsError, match=r"ran for more than 1\.5 s"):
        attempt("while True: pass", wall, Limits(seconds=1.5))
    assert time.monotonic() - begin < 30


@pytest.mark.parametrize("wall", HERE)
@pytest.mark.parametrize("lines", ["x = bytearray(600 << 20)", "x = []\nwhile True: x.append(bytearray(1 << 20))"])
def test_too_much_memory_is_refused(wall, lines, attempt):
    with pytest.raises(EdgeKwsError, match=r"memory"):
        attempt(lines, wall, Limits(seconds=60, memory_bytes=400 << 20))


@pytest.mark.parametrize("wall", KERNEL)
def test_children_share_the_memory_limit_and_die_with_it(wall, attempt):
    lines = """
        import subprocess, sys
        code = "import time; x = bytearray(b'1') * (150 << 20); time.sleep(60)"
        jobs = [subprocess.Popen([sys.executable, "-c", code], start_new_session=True) for _ in range(4)]
        [job.wait() for job in jobs]
    """
    begin = time.monotonic()
    with pytest.raises(EdgeKwsError, match=r"memory"):
        attempt(lines, wall, Limits(seconds=50, memory_bytes=400 << 20))
    assert time.monotonic() - begin < 45


@pytest.mark.parametrize("wall", KERNEL)
def test_many_processes_are_stopped(wall, attempt):
    lines = "import subprocess, time\njobs = [subprocess.Popen(['sleep', '60']) for _ in range(40)]\ntime.sleep(30)"
    with pytest.raises(EdgeKwsError, match=r"processes"):
        attempt(lines, wall, Limits(seconds=50, processes=20))


@pytest.mark.parametrize("wall", HERE)
def test_a_flood_of_output_is_stopped(wall, attempt):
    lines = """
        for number in range(100):
            with open(f"flood{number}", "wb") as file:
                file.write(bytes(1 << 20))
        import time
        time.sleep(20)
    """
    with pytest.raises(EdgeKwsError, match=r"wrote"):
        attempt(lines, wall, Limits(seconds=40, output_bytes=8 << 20))


@pytest.mark.parametrize("wall", HERE)
def test_what_it_leaves_is_not_believed(wall, tmp_path, clips):
    """It may write selection.json itself and end before ours is written."""
    path = tmp_path / "liar.py"
    for said, rule in (
        ('{"targets": {"stop": ["x/y.wav"], "jalapeño": []}, "nontargets": []}', "allowed pool"),
        ('{"targets": 3}', "as JSON"),
        ("[" * 100000, "as JSON"),
    ):
        head = f"import os, pathlib\nsaid = {said!r}\n"
        path.write_text(
            head + "def select(*_):\n    pathlib.Path('selection.json').write_text(said)\n    os._exit(0)\n"
        )
        with pytest.raises(DataError, match=rule):
            run_sealed(str(path), clips, 10, 0, wall=wall)


@pytest.mark.parametrize("wall", HERE)
def test_a_link_in_the_place_of_the_answer_is_not_followed(wall, tmp_path, clips):
    path = tmp_path / "link.py"
    path.write_text(
        "import os\ndef select(*_):\n    try:\n        os.symlink('/etc/passwd', 'selection.json')\n"
        "    finally:\n        os._exit(0)\n"
    )
    with pytest.raises(DataError, match=r"selection.json"):
        run_sealed(str(path), clips, 10, 0, wall=wall)


@pytest.mark.parametrize("wall", HERE)
def test_what_a_selector_raises_is_told(wall, attempt):
    with pytest.raises(EdgeKwsError, match=r"ZeroDivisionError"):
        attempt("1 / 0", wall)


def test_without_room_for_every_class_it_is_an_option_that_is_wrong(clips):
    with pytest.raises(ConfigError, match=r"3 or more"):
        run_sealed("facility", clips, 2, 0)


def test_secrets_of_the_environment_stay_outside(attempt, monkeypatch):
    monkeypatch.setenv("A_TOKEN", "secret")
    for wall in HERE:
        assert attempt("import os\nassert 'A_TOKEN' not in os.environ", wall)[0].size == 10


def test_the_first_wall_that_works_is_used(clips):
    assert run_sealed("random", clips, 10, 0)[1].wall == HERE[0]


def test_an_unknown_wall_and_a_container_without_an_image_are_refused(clips):
    with pytest.raises(ConfigError, match=r"auto or one of"):
        run_sealed("random", clips, 10, 0, wall="paper")
    with pytest.raises(ConfigError, match=r"image"):
        run_sealed("random", clips, 10, 0, wall="container")


def test_no_process_is_left(attempt):
    before = threading.active_count()
    with pytest.raises(EdgeKwsError):
        attempt("while True: pass", HERE[0], Limits(seconds=1))
    assert threading.active_count() == before
