"""Container isolation: real containers where an engine has the example's image, otherwise fake engines (scripts)."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from edgekws.cli.select import run as select_run
from edgekws.curate import sandbox
from edgekws.curate.sandbox import Limits, watchdog
from edgekws.curate.sandbox import engine as _engine
from edgekws.curate.select import files
from edgekws.curate.select.run import run, run_sandboxed
from edgekws.errors import ConfigError, DataError, EdgeKwsError
from tests.curate.select.pools import pool

IMAGE = "edgekws-select"
"""Built by examples/dataperf/Dockerfile."""
CHOOSES = """
    from edgekws.curate.select import load
    return load("facility")(pool, size, seed)
"""
PODMAN = {"host": {"cgroupControllers": ["memory", "pids"], "security": {"rootless": False}}}
DOCKER = {"ServerVersion": "28", "MemoryLimit": True, "PidsLimit": True, "SecurityOptions": ["name=seccomp"]}


@pytest.fixture(scope="module")
def clips():
    return pool(each=8)


@pytest.fixture(scope="module")
def real():
    """The engine that has the image, or the test is skipped."""
    try:
        return _engine.with_image(IMAGE)
    except ConfigError as error:
        pytest.skip(f"no container: {_engine.missing() or error}")


@pytest.fixture
def attempt(real, tmp_path, clips):
    """Runs a selector with these first lines in a container; returns (selection, SandboxRun). No container is left."""
    before = containers(real, "-a")

    def start(lines, limits=None):
        return run_sandboxed(
            str(selector(tmp_path, lines)), clips, 10, 0, limits=limits, isolation="container", image=IMAGE
        )

    yield start
    assert containers(real, "-a") == before


def selector(folder, lines):
    path = folder / "attempt.py"
    body = textwrap.indent(textwrap.dedent(lines).strip() + textwrap.dedent(CHOOSES), "    ")
    path.write_text(f"def select(pool, size, seed):\n{body}\n")
    return path


def containers(engine, *options):
    """Names of running sandbox containers; with -a also of stopped ones."""
    command = [engine.program, "ps", *options, "--format", "{{.Names}}"]
    names = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    return {name for name in names if name.startswith("edgekws-sandbox-")}


@pytest.mark.slow
def test_the_selection_is_the_same_in_a_container(real, clips):
    chosen, result = run_sandboxed("proxy_exchange", clips, 10, 3, image=IMAGE)
    assert chosen == run("proxy_exchange", clips, 10, 3)
    assert result.isolation == "container" and result.seconds > 0 and result.fallback_reason == ""


@pytest.mark.slow
def test_the_programs_memory_is_measured_not_the_engines(attempt):
    result = attempt("x = bytearray(b'1') * (200 << 20)\nimport time; time.sleep(1)")[1]
    assert 200 << 20 < result.peak_bytes < 400 << 20


@pytest.mark.slow
@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ("import socket; socket.create_connection(('127.0.0.1', 9), timeout=2)", "ConnectionRefusedError"),
        ("import socket; socket.create_connection(('192.0.2.1', 9), timeout=2)", "unreachable"),
        ("open('/new', 'w')", "Read-only"),
        ("import pathlib; (pathlib.Path(__file__).parent / 'pool.npz').write_bytes(b'')", "Read-only|Permission"),
        ("open('/tmp/large', 'wb').write(bytes(65 << 20))", "File too large"),
        ("for name in 'ab': open(f'/tmp/{name}', 'wb').write(bytes(40 << 20))", "No space"),
        ("import os; os.setuid(12345)", "PermissionError"),
    ],
)  # fmt: skip
def test_forbidden_actions_fail(lines, message, attempt):
    with pytest.raises(EdgeKwsError, match=message):
        attempt(lines)


@pytest.mark.slow
def test_other_files_and_environment_variables_are_invisible(attempt, tmp_path, monkeypatch):
    monkeypatch.setenv("A_TOKEN", "secret")
    monkeypatch.setenv("HTTPS_PROXY", "http://user:password@proxy")
    secret = tmp_path / "eval.yaml"
    secret.write_text("targets: {}")
    lines = f"""
        import os
        assert not os.path.exists({str(secret)!r})
        assert not any("secret" in value or "password" in value for value in os.environ.values()), os.environ
    """
    assert attempt(lines)[0].size == 10


@pytest.mark.slow
def test_output_files_belong_to_our_user(real, tmp_path):
    inputs, output = tmp_path / "in", tmp_path / "out"
    inputs.mkdir()
    output.mkdir()
    (output / "program.py").write_text("")
    sandbox.run("compileall", inputs, output, isolation="container", image=IMAGE)
    made = [*(output / "__pycache__").iterdir(), output / "__pycache__"]
    assert len(made) == 2 and {path.stat().st_uid for path in made} == {os.getuid()}


@pytest.mark.slow
def test_the_time_limit_ends_and_removes_the_container(attempt):
    begin = time.monotonic()
    with pytest.raises(DataError, match=r"ran for more than 4 s"):
        attempt("import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)\nwhile True: pass", Limits(seconds=4))
    assert time.monotonic() - begin < 30


@pytest.mark.slow
@pytest.mark.parametrize(
    "lines",
    [
        "x = bytearray(600 << 20)",
        "x = []\nwhile True: x.append(bytearray(b'1') * (1 << 20))",
        """
        import subprocess, sys
        code = "import time; x = bytearray(b'1') * (150 << 20); time.sleep(60)"
        jobs = [subprocess.Popen([sys.executable, "-c", code], start_new_session=True) for _ in range(4)]
        [job.wait() for job in jobs]
        """,
        """
        import mmap
        x = mmap.mmap(-1, 900 << 20)  # shared, so no limit of one process counts it
        while True: x.write(b"1" * (1 << 20))
        """,
    ],
    ids=["at once", "bit by bit", "children", "shared"],
)
def test_memory_is_limited(lines, attempt):
    with pytest.raises(DataError, match=r"memory"):
        attempt(lines, Limits(seconds=50, memory_bytes=400 << 20))


@pytest.mark.slow
def test_an_out_of_memory_kill_by_the_kernel_is_reported(attempt, monkeypatch):
    """As with an engine on another machine, whose processes are not visible here."""
    monkeypatch.setattr(watchdog, "process_tree", lambda _: [])
    lines = "import mmap\nx = mmap.mmap(-1, 900 << 20)\nwhile True: x.write(b'1' * (1 << 20))"
    with pytest.raises(DataError, match=r"it ran out of memory"):
        attempt(lines, Limits(seconds=50, memory_bytes=400 << 20))


@pytest.mark.slow
def test_processes_are_limited(attempt):
    lines = "import subprocess, time\njobs = [subprocess.Popen(['sleep', '60']) for _ in range(40)]\ntime.sleep(30)"
    with pytest.raises(DataError, match=r"processes"):
        attempt(lines, Limits(seconds=50, processes=20))


@pytest.mark.slow
def test_an_exception_of_the_selector_is_reported(attempt):
    with pytest.raises(DataError, match=r"ZeroDivisionError"):
        attempt("1 / 0")


@pytest.fixture
def sleeping(real, tmp_path, clips):
    """A process of edgekws with a running container that sleeps."""
    before = containers(real, "-a")
    path = selector(tmp_path, "import time; time.sleep(60)")
    code = f"""
        from edgekws.curate.select.run import run_sandboxed
        from tests.curate.select.pools import pool
        run_sandboxed({str(path)!r}, pool(each=8), 10, 0, isolation="container", image={IMAGE!r})
    """
    process = subprocess.Popen([sys.executable, "-c", textwrap.dedent(code)], stderr=subprocess.PIPE, text=True)
    try:
        wait_for(lambda: containers(real) - before or process.poll() is not None)
        assert process.poll() is None, process.communicate()[1]
        yield process, lambda: containers(real, "-a") - before
    finally:
        process.kill()
        process.communicate()


def wait_for(condition, seconds=30):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.2)


@pytest.mark.slow
def test_ctrl_c_ends_the_container(sleeping):
    process, left = sleeping
    process.send_signal(signal.SIGINT)
    assert "KeyboardInterrupt" in process.communicate(timeout=30)[1]
    assert not left()


@pytest.mark.slow
def test_a_killed_edgekws_leaves_no_container(sleeping):
    process, left = sleeping
    process.kill()
    process.wait()
    wait_for(lambda: not left())


@pytest.fixture
def engines(tmp_path, monkeypatch):
    """Makes scripts named docker and podman the only engines. They log their arguments, print a given `info`, have the
    image "mine", and run a container's program directly."""
    folder = tmp_path / "bin"
    folder.mkdir()
    log = tmp_path / "log"
    for name in ("python3", "sh", "bwrap", "unshare", "true", "mount", "env", "sleep"):
        for place in ("/usr/bin", "/bin"):
            if Path(place, name).exists() and not (folder / name).exists():
                (folder / name).symlink_to(Path(place, name))
    monkeypatch.setenv("PATH", str(folder))
    caches = _engine._engines, _engine.with_image
    for cache in caches:
        cache.cache_clear()

    def make(name, info, run_lines="exit 125", fault=""):
        script = folder / name
        script.write_text(f"""#!/bin/sh
echo "$@" >> {log}
case "$1 $2" in
    info*) [ -n '{fault}' ] && {{ echo '{fault}' >&2; exit 1; }}; echo '{json.dumps(info)}';;
    "image inspect") [ "$3" = mine ];;
    "container inspect") echo "Error: no such container" >&2; exit 1;;
    "run "*) {run_lines};;
esac
""")
        script.chmod(0o755)
        return log

    yield make
    for cache in caches:
        cache.cache_clear()


PROGRAM = f"""
    for word in "$@"; do
        case "$word" in *:/in:ro,Z) in=${{word%:/in:ro,Z}};; *:/out:Z) out=${{word%:/out:Z}};; esac
    done
    PYTHONPATH={Path.cwd()} exec {sys.executable} -m edgekws.curate.select.sandboxed_main "$in" "$out"
"""


@pytest.mark.parametrize(
    ("name", "info", "options"),
    [
        ("docker", DOCKER, f"--user {os.getuid()}:{os.getgid()}"),
        ("docker", DOCKER | {"SecurityOptions": ["name=seccomp,profile=default", "name=rootless"]}, "--user 0:0"),
        ("docker", DOCKER | {"SecurityOptions": ["name=userns"]}, "--userns host --user"),
        ("docker", PODMAN, "--http-proxy=false"),
        ("podman", PODMAN, "--http-proxy=false"),
        ("podman", {"host": PODMAN["host"] | {"security": {"rootless": True}}}, "--userns keep-id --user"),
    ],
    ids=["docker", "rootless docker", "docker with userns-remap", "podman named docker", "podman", "rootless podman"],
)
def test_each_engine_gets_its_own_options_and_the_limits(name, info, options, engines, clips):
    log = engines(name, info, PROGRAM)
    limits = Limits(memory_bytes=1 << 30)
    chosen, result = run_sandboxed("facility", clips, 10, 0, image="mine", limits=limits)
    assert result.isolation == "container" and chosen == run("facility", clips, 10, 0)
    assert result.peak_bytes == 0, "`container inspect` printed no PID"
    line = next(line for line in log.read_text().splitlines() if line.startswith("run "))
    assert options in line and "--network none" in line and "--read-only" in line and "--pull never" in line
    assert f"--memory {1 << 30} --memory-swap {1 << 30}" in line
    assert (f"--ulimit data={1 << 30}:{1 << 30}" in line) == ("host" not in info), "podman inherits ours"
    assert log.read_text().splitlines()[-1].startswith("rm --force")


def test_podman_is_used_when_the_docker_daemon_is_not_running(engines, clips):
    engines("docker", {}, fault="Cannot connect to the Docker daemon")
    log = engines("podman", PODMAN, PROGRAM)
    assert run_sandboxed("facility", clips, 10, 0, image="mine")[1].isolation == "container"
    assert "--http-proxy=false" in log.read_text()


def test_without_a_working_engine_the_fallback_has_a_reason(engines, clips):
    engines("docker", {}, fault="Cannot connect to the Docker daemon")
    result = run_sandboxed("facility", clips, 10, 0, image="mine")[1]
    assert result.isolation == next(name for name, missing in sandbox.available().items() if not missing)
    assert result.fallback_reason == "docker: Cannot connect to the Docker daemon; podman: was not found"
    with pytest.raises(ConfigError, match=r"not available here.*docker: Cannot connect.*podman: was not found"):
        run_sandboxed("facility", clips, 10, 0, isolation="container", image="mine")


def test_the_command_prints_why_no_container_was_used(engines, clips, tmp_path, monkeypatch):
    engines("docker", {}, fault="Cannot connect to the Docker daemon")
    monkeypatch.setattr(files, "read_pool", lambda *_: clips)
    app = typer.Typer()
    app.command()(select_run.run)
    line = "--sandbox --image mine --train-size 12 --selector facility --outdir"
    done = CliRunner().invoke(app, [*line.split(), str(tmp_path)], catch_exceptions=False)
    printed = " ".join(done.output.split())
    assert done.exit_code == 0 and (tmp_path / "en_12_train.json").is_file()
    assert "no container: docker: Cannot connect to the Docker daemon; podman: was not found sandbox:" in printed


@pytest.mark.parametrize(
    ("info", "message"),
    [
        ({"host": PODMAN["host"] | {"cgroupControllers": ["cpu"]}}, "memory and pids here"),
        (DOCKER | {"MemoryLimit": False}, "cannot limit memory"),
        ({"Other": 1}, "unknown format: KeyError"),
        ([], "unknown format"),
    ],
)
def test_an_engine_without_resource_limits_is_not_used(info, message, engines):
    engines("podman", info)
    assert message in _engine.missing()


def test_a_missing_image_is_not_pulled(engines, clips):
    log = engines("podman", PODMAN)
    with pytest.raises(ConfigError, match=r"known to podman.*other.*podman pull other"):
        run_sandboxed("facility", clips, 10, 0, image="other")
    assert not any(line.startswith(("run", "pull")) for line in log.read_text().splitlines())


def test_a_failing_engine_is_reported(engines, clips):
    engines("podman", PODMAN, "echo 'Error: no room for layers' >&2; exit 125")
    with pytest.raises(DataError, match=r"exit code 125.*no room for layers"):
        run_sandboxed("facility", clips, 10, 0, image="mine")


def test_a_container_that_cannot_be_removed_is_reported(engines, clips):
    """`rm` fails and `inspect` still finds it."""
    engines("podman", PODMAN, PROGRAM)
    engine = _engine.with_image("mine")
    script = Path(os.environ["PATH"]) / "podman"
    script.write_text('#!/bin/sh\n[ "$1" = rm ] && { echo "Error: device is busy" >&2; exit 2; }\nexit 0\n')
    with pytest.raises(DataError, match=r"gone after its run.*busy.*podman rm --force .*it"):
        engine.remove("it")


def test_an_engine_does_not_run_in_the_output_folder(engines, tmp_path):
    """podman 4.3 writes a file named oom to its working directory, even through a link that the program made."""
    engines("podman", PODMAN, "touch oom")
    (tmp_path / "in").mkdir()
    (tmp_path / "out").mkdir()
    (tmp_path / "bin" / "touch").symlink_to("/usr/bin/touch")
    sandbox.run("any", tmp_path / "in", tmp_path / "out", image="mine")
    assert not list((tmp_path / "out").iterdir())


def test_too_little_memory_for_the_engine_is_refused(engines, clips):
    engines("podman", PODMAN)
    with pytest.raises(ConfigError, match=r"256 MiB or more. Got: 64 MiB"):
        run_sandboxed("facility", clips, 10, 0, image="mine", limits=Limits(memory_bytes=64 << 20))
