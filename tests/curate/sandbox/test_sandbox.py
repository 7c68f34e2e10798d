"""A sandboxed selector is stopped: each test is a selector that tries, with each isolation method available here."""

from __future__ import annotations

import os
import socket
import textwrap
import threading
import time

import pytest

from edgekws.curate import sandbox
from edgekws.curate.sandbox import Limits
from edgekws.curate.select.run import run, run_sandboxed
from edgekws.errors import ConfigError, DataError, EdgeKwsError
from tests.curate.select.pools import pool

AVAILABLE = [name for name, missing in sandbox.available().items() if not missing]
KERNEL = [name for name in AVAILABLE if name != "plain"]
CHOOSES = """
    from edgekws.curate.select import load
    return load("facility")(pool, size, seed)
"""


@pytest.fixture(scope="module")
def clips():
    return pool(each=8)


@pytest.fixture
def attempt(tmp_path, clips):
    """Runs a selector whose first lines are given, in a sandbox; returns (selection, SandboxRun)."""

    def start(lines, isolation, limits=None):
        path = tmp_path / "attempt.py"
        body = textwrap.indent(textwrap.dedent(lines).strip() + textwrap.dedent(CHOOSES), "    ")
        path.write_text(f"def select(pool, size, seed):\n{body}\n")
        return run_sandboxed(str(path), clips, 10, 0, limits=limits, isolation=isolation)

    return start


@pytest.mark.parametrize("isolation", AVAILABLE)
@pytest.mark.parametrize("name", ["proxy_exchange", "kmeans"])
def test_the_selection_is_the_same_in_a_sandbox(isolation, name, clips):
    chosen, result = run_sandboxed(name, clips, 10, 3, isolation=isolation)
    assert chosen == run(name, clips, 10, 3)
    assert result.isolation == isolation and result.seconds > 0 and result.peak_bytes > 10 << 20


@pytest.mark.parametrize("isolation", AVAILABLE)
def test_sockets_do_not_reach_localhost(isolation, attempt):
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        server.settimeout(0.2)
        with pytest.raises(EdgeKwsError, match=r"PermissionError|OSError|ConnectionRefusedError|unreachable|refused"):
            attempt(f"import socket; socket.create_connection(('127.0.0.1', {port}), timeout=2)", isolation)
        with pytest.raises(TimeoutError):
            server.accept()


@pytest.mark.parametrize("isolation", AVAILABLE)
def test_a_harmless_selector_passes(isolation, attempt):
    """So in the other tests it is the sandbox that stops the selector."""
    assert attempt("pass", isolation)[0].size == 10


@pytest.mark.parametrize("isolation", AVAILABLE)
def test_nothing_is_written_outside_the_output_folder(isolation, attempt, tmp_path):
    outside = tmp_path / "outside"
    with pytest.raises(EdgeKwsError, match=r"Permission|No such file|Read-only"):
        attempt(f"open({str(outside)!r}, 'w').write('x')", isolation)
    assert not outside.exists()


@pytest.mark.parametrize("isolation", AVAILABLE)
def test_inputs_are_read_only(isolation, attempt):
    with pytest.raises(EdgeKwsError, match=r"Permission|Read-only"):
        attempt("import pathlib; p = pathlib.Path(__file__).parent / 'pool.npz'; p.write_bytes(b'')", isolation)


@pytest.mark.parametrize("isolation", KERNEL)
def test_other_files_are_invisible(isolation, attempt, tmp_path):
    secret = tmp_path / "eval.yaml"
    secret.write_text("targets: {}")
    with pytest.raises(EdgeKwsError, match=r"FileNotFoundError"):
        attempt(f"open({str(secret)!r}).read()", isolation)


@pytest.mark.parametrize("isolation", KERNEL)
def test_native_code_cannot_remount_or_escape_the_sandbox(isolation, attempt, tmp_path):
    """As root of its own namespaces it could mount, so it must have no capabilities."""
    lines = """
        import ctypes, subprocess
        libc = ctypes.CDLL(None, use_errno=True)
        refused = [libc.mount(b"none", b"/in", None, 32 | 4096, None), libc.mount(b"t", b"/tmp", b"tmpfs", 0, None)]
        refused.append(libc.sethostname(b"x", 1))
        done = subprocess.run(["unshare", "-r", "-m", "sh", "-c", "mount -o remount,bind,rw /in && echo x > /in/new"])
        assert all(refused) and done.returncode != 0, (refused, done)
    """
    assert attempt(lines, isolation)[0].size == 10


@pytest.mark.parametrize("isolation", KERNEL)
def test_other_processes_cannot_be_signalled(isolation, attempt):
    lines = f"""
        import os
        try:
            os.kill({os.getpid()}, 0)
        except ProcessLookupError:
            pass
        else:
            raise RuntimeError("reached")
    """
    assert attempt(lines, isolation)[0].size == 10


@pytest.mark.parametrize("isolation", AVAILABLE)
def test_a_selector_that_never_ends_is_stopped(isolation, attempt):
    begin = time.monotonic()
    with pytest.raises(EdgeKwsError, match=r"ran for more than 1\.5 s"):
        attempt("while True: pass", isolation, Limits(seconds=1.5))
    assert time.monotonic() - begin < 30


@pytest.mark.parametrize("isolation", AVAILABLE)
@pytest.mark.parametrize("lines", ["x = bytearray(600 << 20)", "x = []\nwhile True: x.append(bytearray(1 << 20))"])
def test_too_much_memory_is_refused(isolation, lines, attempt):
    with pytest.raises(EdgeKwsError, match=r"memory"):
        attempt(lines, isolation, Limits(seconds=60, memory_bytes=400 << 20))


@pytest.mark.parametrize("isolation", KERNEL)
def test_children_share_the_memory_limit_and_die_with_it(isolation, attempt):
    lines = """
        import subprocess, sys
        code = "import time; x = bytearray(b'1') * (150 << 20); time.sleep(60)"
        jobs = [subprocess.Popen([sys.executable, "-c", code], start_new_session=True) for _ in range(4)]
        [job.wait() for job in jobs]
    """
    begin = time.monotonic()
    with pytest.raises(EdgeKwsError, match=r"memory"):
        attempt(lines, isolation, Limits(seconds=50, memory_bytes=400 << 20))
    assert time.monotonic() - begin < 45


@pytest.mark.parametrize("isolation", KERNEL)
def test_many_processes_are_stopped(isolation, attempt):
    lines = "import subprocess, time\njobs = [subprocess.Popen(['sleep', '60']) for _ in range(40)]\ntime.sleep(30)"
    with pytest.raises(EdgeKwsError, match=r"processes"):
        attempt(lines, isolation, Limits(seconds=50, processes=20))


@pytest.mark.parametrize("isolation", AVAILABLE)
def test_excessive_output_is_stopped(isolation, attempt):
    lines = """
        for number in range(100):
            with open(f"flood{number}", "wb") as file:
                file.write(bytes(1 << 20))
        import time
        time.sleep(20)
    """
    with pytest.raises(EdgeKwsError, match=r"wrote"):
        attempt(lines, isolation, Limits(seconds=40, output_bytes=8 << 20))


@pytest.mark.parametrize("isolation", AVAILABLE)
def test_a_forged_selection_is_checked(isolation, tmp_path, clips):
    """A selector may write selection.json itself and exit before ours is written."""
    path = tmp_path / "forged.py"
    for content, rule in (
        ('{"targets": {"stop": ["x/y.wav"], "jalapeño": []}, "nontargets": []}', "allowed pool"),
        ('{"targets": 3}', "as JSON"),
        ("[" * 100000, "as JSON"),
    ):
        head = f"import os, pathlib\ncontent = {content!r}\n"
        path.write_text(
            head + "def select(*_):\n    pathlib.Path('selection.json').write_text(content)\n    os._exit(0)\n"
        )
        with pytest.raises(DataError, match=rule):
            run_sandboxed(str(path), clips, 10, 0, isolation=isolation)


@pytest.mark.parametrize("isolation", AVAILABLE)
def test_a_symbolic_link_instead_of_the_selection_is_not_followed(isolation, tmp_path, clips):
    path = tmp_path / "link.py"
    path.write_text(
        "import os\ndef select(*_):\n    try:\n        os.symlink('/etc/passwd', 'selection.json')\n"
        "    finally:\n        os._exit(0)\n"
    )
    with pytest.raises(DataError, match=r"selection.json"):
        run_sandboxed(str(path), clips, 10, 0, isolation=isolation)


@pytest.mark.parametrize("isolation", AVAILABLE)
def test_an_exception_of_the_selector_is_reported(isolation, attempt):
    with pytest.raises(EdgeKwsError, match=r"ZeroDivisionError"):
        attempt("1 / 0", isolation)


def test_a_size_below_the_number_of_classes_is_a_configuration_error(clips):
    with pytest.raises(ConfigError, match=r"3 or more"):
        run_sandboxed("facility", clips, 2, 0)


def test_environment_variables_are_not_passed_on(attempt, monkeypatch):
    monkeypatch.setenv("A_TOKEN", "secret")
    for isolation in AVAILABLE:
        assert attempt("import os\nassert 'A_TOKEN' not in os.environ", isolation)[0].size == 10


def test_auto_uses_the_first_available_isolation(clips):
    assert run_sandboxed("random", clips, 10, 0)[1].isolation == AVAILABLE[0]


def test_an_unknown_isolation_and_a_container_without_an_image_are_refused(clips):
    with pytest.raises(ConfigError, match=r"auto or one of"):
        run_sandboxed("random", clips, 10, 0, isolation="paper")
    with pytest.raises(ConfigError, match=r"image"):
        run_sandboxed("random", clips, 10, 0, isolation="container")


def test_no_thread_is_left(attempt):
    before = threading.active_count()
    with pytest.raises(EdgeKwsError):
        attempt("while True: pass", AVAILABLE[0], Limits(seconds=1))
    assert threading.active_count() == before
