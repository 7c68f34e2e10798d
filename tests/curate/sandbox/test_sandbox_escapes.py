"""Ways around a wall's limits that were tried and found open once: each is a selector that tries it again."""

from __future__ import annotations

import os
import platform
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from edgekws.curate import sandbox
from edgekws.curate.sandbox import Limits, isolation, output, seccomp
from edgekws.curate.select.run import run_sealed
from edgekws.errors import ConfigError, DataError, EdgeKwsError
from tests.curate.select.pools import pool

HERE = [name for name, missing in sandbox.walls().items() if not missing]
KERNEL = [name for name in HERE if name != "plain"]
LIMITS = Limits(seconds=30, memory_bytes=600 << 20)
CHOOSES = "from edgekws.curate.select import load\nreturn load('facility')(pool, size, seed)"

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the kernel's walls are Linux's")


def selector_of(lines, folder):
    path = folder / "attempt.py"
    body = textwrap.indent(f"{textwrap.dedent(lines).strip()}\n{CHOOSES}", "    ")
    path.write_text(f"def select(pool, size, seed):\n{body}\n")
    return str(path)


@pytest.fixture
def attempt(tmp_path):
    clips = pool(each=8)

    def start(lines, wall, limits=LIMITS):
        return run_sealed(selector_of(lines, tmp_path), clips, 10, 0, limits=limits, wall=wall)

    return start


@pytest.mark.skipif(platform.machine() not in seccomp.TABLES, reason="no table of this machine's system calls")
@pytest.mark.parametrize("wall", HERE)
@pytest.mark.parametrize(
    "lines",
    [
        "import os; os.memfd_create('held')",
        "import ctypes; assert ctypes.CDLL(None).shmget(0, 4096, 0o1600) >= 0, 'not permitted'",
        "import ctypes; assert ctypes.CDLL(None).socket(1, 1, 0) >= 0, 'not permitted'",
        "import ctypes; assert ctypes.CDLL(None).unshare(0x10000000) == 0, 'not permitted'",
        # clone with a new user namespace, by its number, for the C library has no plain call of it
        "import ctypes, platform; n = {'x86_64': 56, 'aarch64': 220}[platform.machine()]\n"
        "assert ctypes.CDLL(None).syscall(n, 0x10000011, 0, 0, 0, 0) >= 0, 'not permitted'",
        "import ctypes; assert ctypes.CDLL(None).syscall(425, 8, bytes(256)) >= 0, 'not permitted'",
    ],
)  # fmt: skip
def test_memory_sockets_and_namespaces_that_no_limit_sees_are_refused(wall, lines, attempt):
    with pytest.raises(DataError, match=r"[Nn]ot permitted"):
        attempt(lines, wall)


@pytest.mark.parametrize("wall", HERE)
def test_threads_and_children_are_not_forbidden(wall, attempt):
    """The filter must not stop what an honest selector does."""
    lines = """
        import threading
        thread = threading.Thread(target=print); thread.start(); thread.join()
    """
    children = "import os\nchild = os.fork()\nif not child: os._exit(7)\nassert os.waitpid(child, 0)[1] == 7 << 8\n"
    assert attempt(textwrap.dedent(lines) + (children if wall in KERNEL else ""), wall)[0].size == 10


@pytest.mark.parametrize("wall", KERNEL)
def test_there_is_nothing_to_write_beside_output_and_tmp(wall, attempt):
    lines = """
        import os
        found = [place for place in ('/', '/dev', '/dev/shm', '/etc', '/usr', '/app', '/in', '/proc', '/sys')
                 if os.path.isdir(place)]
        for place in found:
            try:
                open(place + '/new', 'w')
            except OSError:
                continue
            raise RuntimeError('wrote ' + place)
    """
    assert attempt(lines, wall)[0].size == 10


@pytest.mark.parametrize("wall", HERE)
def test_files_without_a_name_count_as_output(wall, attempt):
    lines = """
        import os, time
        held = []
        for _ in range(8):
            held.append(open("d", "wb")); os.unlink("d")
            held[-1].write(bytes(2 << 20)); held[-1].flush()
        time.sleep(20)
    """
    with pytest.raises(DataError, match=r"wrote \d+ MiB"):
        attempt(lines, wall, Limits(seconds=25, output_bytes=8 << 20))


@pytest.mark.parametrize("wall", HERE)
def test_what_is_written_just_before_the_end_counts(wall, attempt):
    lines = "for n in range(12):\n    open(f'f{n}', 'wb').write(bytes(1 << 20))"
    with pytest.raises(DataError, match=r"wrote \d+ MiB"):
        attempt(lines, wall, Limits(seconds=25, output_bytes=8 << 20))


@pytest.mark.parametrize("wall", HERE)
@pytest.mark.parametrize(
    "lines",
    [
        "import os\nfor n in range(5000): os.close(os.open(f'f{n}', os.O_CREAT | os.O_WRONLY))",
        "import os\nfor _ in range(2500): os.mkdir('d'); os.chdir('d')",
    ],
)
def test_many_files_and_deep_folders_are_stopped_and_removed(wall, lines, attempt):
    with pytest.raises(DataError, match="more than 1000 files and folders"):
        attempt(lines, wall)


@pytest.mark.parametrize("wall", HERE)
def test_folders_that_come_and_go_are_no_trouble(wall, attempt):
    lines = """
        import os, shutil, time
        end = time.monotonic() + 1
        while time.monotonic() < end:
            os.makedirs('a/b/c/d'); shutil.rmtree('a')
    """
    assert attempt(lines, wall)[0].size == 10


def test_what_is_left_is_removed_whatever_it_is(tmp_path):
    folder, stranger = tmp_path / "out", tmp_path / "stranger"
    (folder / "closed").mkdir(parents=True)
    stranger.mkdir(mode=0o500)
    (folder / "link").symlink_to(stranger)
    (folder / "closed" / "-rf").touch()
    (folder / "closed").chmod(0)
    os.mkfifo(folder / "fifo")
    deep = "import os, sys\nos.chdir(sys.argv[1])\nfor _ in range(1500): os.mkdir('d'); os.chdir('d')"
    subprocess.run([sys.executable, "-c", deep, str(folder)], check=True)
    output.emptied(folder)
    assert not list(folder.iterdir()) and stranger.is_dir() and stranger.stat().st_mode & 0o777 == 0o500


@pytest.mark.parametrize("wall", HERE)
def test_folders_that_tempfile_cannot_remove_are_no_trouble_after_a_good_answer(
    wall, attempt, tmp_path_factory, monkeypatch
):
    """One call and one open folder a level: more than Python allows, fewer files than the limit does."""
    temporary = tmp_path_factory.mktemp("t")
    monkeypatch.setattr("tempfile.tempdir", str(temporary))
    deep = "import os; there = os.getcwd()\nfor _ in range(980): os.mkdir('d'); os.chdir('d')\nos.chdir(there)"
    assert attempt(deep, wall)[0].size == 10
    assert not list(temporary.iterdir())


def test_an_answer_larger_than_the_pool_could_need_is_not_read(attempt):
    with pytest.raises(DataError, match="enough to name every clip"):
        attempt("import os\nopen('selection.json', 'w').write('[' + '[],' * 100000 + '[]]')\nos._exit(0)", HERE[-1])


@pytest.mark.parametrize("made", ["os.mkfifo('selection.json')", "os.mkdir('selection.json')", "None"])
@pytest.mark.parametrize("wall", HERE)
def test_an_answer_that_is_no_file(wall, made, attempt):
    with pytest.raises(DataError, match=r"should leave selection\.json"):
        attempt(f"import os\n{made}\nos._exit(0)", wall)


@pytest.mark.parametrize("wall", HERE)
def test_what_it_prints_does_not_command_the_terminal(wall, attempt):
    with pytest.raises(EdgeKwsError) as caught:
        attempt("print('\\x1b[2J' + 'x' * 5000)\nimport os\nos._exit(5)", wall)
    assert "\x1b" not in str(caught.value) and len(str(caught.value)) < 2000


@pytest.mark.parametrize("wall", HERE)
def test_leaving_python_is_a_failure_that_is_named(wall, attempt):
    with pytest.raises(DataError, match="SystemExit"):
        attempt("raise SystemExit(0)", wall)


@pytest.mark.parametrize("wall", HERE)
def test_it_ends_with_the_process_that_watches_it(wall, tmp_path):
    """After kill -9 of the watcher nobody would keep the time."""
    mark = f"sealed-{os.getpid()}-{wall}"
    path = selector_of(f"import time\ntime.sleep(60)  # {mark}", tmp_path)
    code = (
        f"from tests.curate.select.pools import pool; from edgekws.curate.select.run import run_sealed\n"
        f"run_sealed({path!r}, pool(each=8), 10, 0, {{'mark': {mark!r}}}, wall={wall!r})"
    )
    watcher = subprocess.Popen([sys.executable, "-c", code])
    try:
        wait_until(lambda: sealed_below(watcher.pid))
        family = sealed_below(watcher.pid)
    finally:
        watcher.send_signal(signal.SIGKILL)
        watcher.wait()
    wait_until(lambda: not [pid for pid in family if alive(pid)])


def sealed_below(pid):
    """The processes of a sealed run once Python has read the selector: it sleeps."""
    from edgekws.curate.sandbox.watchdog import _family

    found = _family(pid)[1:]
    said = [Path(f"/proc/{one}/cmdline") for one in found]
    return (
        found
        if any(path.exists() and b"edgekws.curate.select.sandboxed_main" in path.read_bytes() for path in said)
        else []
    )


def alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def wait_until(true, seconds=60):
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it did not come to that"
        time.sleep(0.05)


@pytest.mark.parametrize("limit", [{"seconds": float("nan")}, {"seconds": 0}, {"memory_bytes": -1}, {"files": 0}])
def test_a_limit_that_is_none_is_refused(limit):
    with pytest.raises(ConfigError, match="above 0"):
        Limits(**limit)


def test_a_machine_whose_system_calls_are_not_known_has_the_plain_wall(monkeypatch):
    monkeypatch.setattr(isolation.platform, "machine", lambda: "riscv64")
    found = sandbox.walls()
    assert "riscv64" in found["namespaces"] or "not found" in found["namespaces"]
    assert next(name for name, missing in found.items() if not missing) == "plain"
