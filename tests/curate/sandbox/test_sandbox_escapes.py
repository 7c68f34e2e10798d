"""Escapes that once worked: each test is a selector that tries one again."""

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
from edgekws.curate.select.run import run_sandboxed
from edgekws.errors import ConfigError, DataError, EdgeKwsError
from tests.curate.select.pools import pool

AVAILABLE = [name for name, missing in sandbox.available().items() if not missing]
KERNEL = [name for name in AVAILABLE if name != "plain"]
LIMITS = Limits(seconds=30, memory_bytes=600 << 20)
CHOOSES = "from edgekws.curate.select import load\nreturn load('facility')(pool, size, seed)"

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the kernel's isolation is Linux only")


def selector_of(lines, folder):
    path = folder / "attempt.py"
    body = textwrap.indent(f"{textwrap.dedent(lines).strip()}\n{CHOOSES}", "    ")
    path.write_text(f"def select(pool, size, seed):\n{body}\n")
    return str(path)


@pytest.fixture
def attempt(tmp_path):
    clips = pool(each=8)

    def start(lines, isolation, limits=LIMITS):
        return run_sandboxed(selector_of(lines, tmp_path), clips, 10, 0, limits=limits, isolation=isolation)

    return start


@pytest.mark.skipif(platform.machine() not in seccomp.TABLES, reason="no table of this machine's system calls")
@pytest.mark.parametrize("isolation", AVAILABLE)
@pytest.mark.parametrize(
    "lines",
    [
        "import os; os.memfd_create('held')",
        "import ctypes; assert ctypes.CDLL(None).shmget(0, 4096, 0o1600) >= 0, 'not permitted'",
        "import ctypes; assert ctypes.CDLL(None).socket(1, 1, 0) >= 0, 'not permitted'",
        "import ctypes; assert ctypes.CDLL(None).unshare(0x10000000) == 0, 'not permitted'",
        # clone with a new user namespace by its number, for the C library has no wrapper for it
        "import ctypes, platform; n = {'x86_64': 56, 'aarch64': 220}[platform.machine()]\n"
        "assert ctypes.CDLL(None).syscall(n, 0x10000011, 0, 0, 0, 0) >= 0, 'not permitted'",
        "import ctypes; assert ctypes.CDLL(None).syscall(425, 8, bytes(256)) >= 0, 'not permitted'",
    ],
)  # fmt: skip
def test_system_calls_that_bypass_the_limits_are_refused(isolation, lines, attempt):
    with pytest.raises(DataError, match=r"[Nn]ot permitted"):
        attempt(lines, isolation)


@pytest.mark.parametrize("isolation", AVAILABLE)
def test_threads_and_child_processes_are_allowed(isolation, attempt):
    """The filter must not stop what an honest selector does."""
    lines = """
        import threading
        thread = threading.Thread(target=print); thread.start(); thread.join()
    """
    children = "import os\nchild = os.fork()\nif not child: os._exit(7)\nassert os.waitpid(child, 0)[1] == 7 << 8\n"
    assert attempt(textwrap.dedent(lines) + (children if isolation in KERNEL else ""), isolation)[0].size == 10


@pytest.mark.parametrize("isolation", KERNEL)
def test_only_output_and_tmp_are_writable(isolation, attempt):
    lines = """
        import os
        folders = [place for place in ('/', '/dev', '/dev/shm', '/etc', '/usr', '/app', '/in', '/proc', '/sys')
                 if os.path.isdir(place)]
        for place in folders:
            try:
                open(place + '/new', 'w')
            except OSError:
                continue
            raise RuntimeError('wrote ' + place)
    """
    assert attempt(lines, isolation)[0].size == 10


@pytest.mark.parametrize("isolation", AVAILABLE)
def test_deleted_open_files_count_as_output(isolation, attempt):
    lines = """
        import os, time
        held = []
        for _ in range(8):
            held.append(open("d", "wb")); os.unlink("d")
            held[-1].write(bytes(2 << 20)); held[-1].flush()
        time.sleep(20)
    """
    with pytest.raises(DataError, match=r"wrote \d+ MiB"):
        attempt(lines, isolation, Limits(seconds=25, output_bytes=8 << 20))


@pytest.mark.parametrize("isolation", AVAILABLE)
def test_output_written_just_before_exit_counts(isolation, attempt):
    lines = "for n in range(12):\n    open(f'f{n}', 'wb').write(bytes(1 << 20))"
    with pytest.raises(DataError, match=r"wrote \d+ MiB"):
        attempt(lines, isolation, Limits(seconds=25, output_bytes=8 << 20))


@pytest.mark.parametrize("isolation", AVAILABLE)
@pytest.mark.parametrize(
    "lines",
    [
        "import os\nfor n in range(5000): os.close(os.open(f'f{n}', os.O_CREAT | os.O_WRONLY))",
        "import os\nfor _ in range(2500): os.mkdir('d'); os.chdir('d')",
    ],
)
def test_many_files_and_deep_folders_are_stopped_and_removed(isolation, lines, attempt):
    with pytest.raises(DataError, match="more than 1000 files and folders"):
        attempt(lines, isolation)


@pytest.mark.parametrize("isolation", AVAILABLE)
def test_folders_that_vanish_during_sampling_are_ignored(isolation, attempt):
    lines = """
        import os, shutil, time
        end = time.monotonic() + 1
        while time.monotonic() < end:
            os.makedirs('a/b/c/d'); shutil.rmtree('a')
    """
    assert attempt(lines, isolation)[0].size == 10


def test_any_kind_of_leftover_file_is_removed(tmp_path):
    folder, outside = tmp_path / "out", tmp_path / "outside"
    (folder / "closed").mkdir(parents=True)
    outside.mkdir(mode=0o500)
    (folder / "link").symlink_to(outside)
    (folder / "closed" / "-rf").touch()
    (folder / "closed").chmod(0)
    os.mkfifo(folder / "fifo")
    deep = "import os, sys\nos.chdir(sys.argv[1])\nfor _ in range(1500): os.mkdir('d'); os.chdir('d')"
    subprocess.run([sys.executable, "-c", deep, str(folder)], check=True)
    output.empty_folder(folder)
    assert not list(folder.iterdir()) and outside.is_dir() and outside.stat().st_mode & 0o777 == 0o500


@pytest.mark.parametrize("isolation", AVAILABLE)
def test_deeply_nested_folders_do_not_spoil_a_good_selection(isolation, attempt, tmp_path_factory, monkeypatch):
    """Deeper than Python's recursion limit, with fewer files than the limit."""
    temporary = tmp_path_factory.mktemp("t")
    monkeypatch.setattr("tempfile.tempdir", str(temporary))
    deep = "import os; there = os.getcwd()\nfor _ in range(980): os.mkdir('d'); os.chdir('d')\nos.chdir(there)"
    assert attempt(deep, isolation)[0].size == 10
    assert not list(temporary.iterdir())


def test_a_selection_file_larger_than_the_pool_could_need_is_not_read(attempt):
    with pytest.raises(DataError, match="enough to name every clip"):
        attempt(
            "import os\nopen('selection.json', 'w').write('[' + '[],' * 100000 + '[]]')\nos._exit(0)", AVAILABLE[-1]
        )


@pytest.mark.parametrize("made", ["os.mkfifo('selection.json')", "os.mkdir('selection.json')", "None"])
@pytest.mark.parametrize("isolation", AVAILABLE)
def test_a_selection_that_is_not_a_regular_file_is_refused(isolation, made, attempt):
    with pytest.raises(DataError, match=r"should leave selection\.json"):
        attempt(f"import os\n{made}\nos._exit(0)", isolation)


@pytest.mark.parametrize("isolation", AVAILABLE)
def test_terminal_escape_sequences_are_removed_from_printed_output(isolation, attempt):
    with pytest.raises(EdgeKwsError) as caught:
        attempt("print('\\x1b[2J' + 'x' * 5000)\nimport os\nos._exit(5)", isolation)
    assert "\x1b" not in str(caught.value) and len(str(caught.value)) < 2000


@pytest.mark.parametrize("isolation", AVAILABLE)
def test_system_exit_is_reported_as_a_failure(isolation, attempt):
    with pytest.raises(DataError, match="SystemExit"):
        attempt("raise SystemExit(0)", isolation)


@pytest.mark.parametrize("isolation", AVAILABLE)
def test_the_sandbox_ends_with_its_watchdog(isolation, tmp_path):
    """After kill -9 of the watchdog nothing would enforce the time limit."""
    mark = f"sandbox-{os.getpid()}-{isolation}"
    path = selector_of(f"import time\ntime.sleep(60)  # {mark}", tmp_path)
    code = (
        f"from tests.curate.select.pools import pool; from edgekws.curate.select.run import run_sandboxed\n"
        f"run_sandboxed({path!r}, pool(each=8), 10, 0, {{'mark': {mark!r}}}, isolation={isolation!r})"
    )
    watchdog_process = subprocess.Popen([sys.executable, "-c", code])
    try:
        wait_until(lambda: sandboxed_processes(watchdog_process.pid))
        family = sandboxed_processes(watchdog_process.pid)
    finally:
        watchdog_process.send_signal(signal.SIGKILL)
        watchdog_process.wait()
    wait_until(lambda: not [pid for pid in family if alive(pid)])


def sandboxed_processes(pid):
    """The processes of a sandboxed run once Python has read the selector, which sleeps."""
    from edgekws.curate.sandbox.watchdog import process_tree

    processes = process_tree(pid)[1:]
    commands = [Path(f"/proc/{one}/cmdline") for one in processes]
    main = b"edgekws.curate.select.sandboxed_main"
    return processes if any(path.exists() and main in path.read_bytes() for path in commands) else []


def alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def wait_until(true, seconds=60):
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "timed out"
        time.sleep(0.05)


@pytest.mark.parametrize("limit", [{"seconds": float("nan")}, {"seconds": 0}, {"memory_bytes": -1}, {"files": 0}])
def test_limits_must_be_above_zero(limit):
    with pytest.raises(ConfigError, match="above 0"):
        Limits(**limit)


def test_a_machine_without_a_table_of_system_calls_uses_plain_isolation(monkeypatch):
    monkeypatch.setattr(isolation.platform, "machine", lambda: "riscv64")
    methods = sandbox.available()
    assert "riscv64" in methods["namespaces"] or "not found" in methods["namespaces"]
    assert next(name for name, missing in methods.items() if not missing) == "plain"
