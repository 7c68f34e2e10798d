"""One finder for all kinds: what it lists, what it refuses, and that one broken plugin breaks no other."""

import sys
from pathlib import Path

import pytest

from edgekws import plugins
from edgekws.curate import shards
from edgekws.curate.workers import names as worker_names
from edgekws.errors import ConfigError

NUMBER = iter(range(1000))


@pytest.fixture
def package(tmp_path, monkeypatch):
    """Writes a package of its own name, named by EDGEKWS_PLUGINS; gives that name."""

    def write(files, variable=plugins.VARIABLE):
        name = f"outside_{next(NUMBER)}"
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").touch()
        for path, text in files.items():
            (tmp_path / name / path).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name / path).write_text(text)
        monkeypatch.syspath_prepend(tmp_path)
        monkeypatch.setenv(variable, name)
        return name

    return write


def problems(kind):
    return {(entry.name, entry.origin): entry.problem for entry in plugins.listing([kind]) if entry.problem}


def test_every_kind_has_a_home():
    root = Path(plugins.__file__).parents[1]
    for kind, row in plugins.KINDS.items():
        for home in row.homes:
            assert root.joinpath(*home.split(".")).is_dir(), (kind, home)
        assert row.contract or row.reader


def test_names_are_found_without_an_import(package):
    name = package({"selectors/mine.py": '"""What mine does."""\nraise RuntimeError\n', "meters/two/__init__.py": ""})
    assert "mine" in plugins.names("selectors")
    assert "two" in plugins.names("meters")
    assert plugins.described("selectors")["mine"] == "What mine does."
    assert not any(module.startswith(name) for module in sys.modules)


def test_private_modules_and_the_parts_of_a_plugin_are_no_plugins(package):
    package({"meters/_shared.py": "", "meters/two/__init__.py": "", "meters/two/parts.py": "", "meters/notes.toml": ""})
    assert set(plugins.names("meters")) - {"csv", "joulescope", "lpm01a", "model", "otii", "ppk2"} == {"two"}


def test_a_package_holds_only_what_it_adds_to(package):
    package({"workers/mine.py": ""})
    assert worker_names() == ["mine", "process", "ray"]
    assert "mine" not in shards.method_names()


def test_a_package_that_is_not_there_breaks_no_other(package, monkeypatch):
    name = package({"selectors/mine.py": "def select(pool, size, seed): ..."})
    monkeypatch.setenv(plugins.VARIABLE, f"no_such_package, {name}, os.path, .odd")
    assert plugins.load("selectors", "mine").select
    broken = {entry.name for entry in plugins.listing(["workers"]) if entry.kind == "packages" and entry.problem}
    assert broken == {"no_such_package", "os.path", ".odd"}
    with pytest.raises(ConfigError, match=r"spark is not known.*no_such_package \(there is no such package\)"):
        plugins.load("workers", "spark")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("import no_such_module_anywhere", "importable.*ModuleNotFoundError: .*no_such_module_anywhere"),
        ("raise SystemExit(3)", "importable.*SystemExit: 3"),
        ("def choose(", "importable.*SyntaxError"),
        ("choose = None", "should define select.*mine.py"),
    ],
)
def test_a_broken_plugin_is_listed_with_its_reason_and_breaks_no_other(package, text, reason):
    package({"selectors/mine.py": text, "selectors/good.py": "def select(pool, size, seed): ..."})
    assert plugins.load("selectors", "good").select
    with pytest.raises(ConfigError, match=reason):
        plugins.load("selectors", "mine")
    assert list(problems("selectors")) == [("mine", plugins.VARIABLE)]


def test_a_package_whose_own_init_fails(package, tmp_path):
    name = package({"__init__.py": "1 / 0", "selectors/mine.py": "def select(pool, size, seed): ..."})
    with pytest.raises(ConfigError, match=f"{name}.*ZeroDivisionError"):
        plugins.load("selectors", "mine")
    assert plugins.load("selectors", "random").select


def test_a_board_that_cannot_be_read_is_broken(package):
    package({"boards/mine.toml": 'title = "Mine"'})
    entry = next(entry for entry in plugins.listing(["boards"]) if entry.name == "mine")
    assert entry.description == "Mine"
    assert "missing core" in entry.problem


def test_nothing_takes_the_name_of_another(package):
    package(
        {"selectors/random.py": "def select(pool, size, seed): ...", "meters/my_meter.py": "", "boards/host.toml": ""}
    )
    for kind, name in (("selectors", "random"), ("boards", "host")):
        with pytest.raises(
            ConfigError, match=rf"(edgekws|firmware_io).*{name}\.\w+.*outside_\d+.*{name}\.\w+.*the same name"
        ):
            plugins.find(kind, name)
    assert {name for name, _ in problems("selectors")} == {"random"}
    assert plugins.load("selectors", "herding").select


def test_old_names_are_accepted_with_a_notice(package):
    files = {"scale/methods/mine.py": "def choose(run, size, seed): ...", "select/mine.py": "select = len"}
    package(files, plugins.OLD_VARIABLE)
    with pytest.warns(FutureWarning) as notices:
        assert plugins.load("shard_methods", "mine").choose
    texts = {str(notice.message) for notice in notices}
    assert any("EDGEKWS_PLUGS is now called EDGEKWS_PLUGINS" in text for text in texts)
    assert any("scale/methods of the package outside" in text and "shard_methods" in text for text in texts)
    with pytest.warns(FutureWarning) as notices:
        assert plugins.load("selectors", "mine").select is len
    assert any("should now be called selectors" in str(notice.message) for notice in notices)


@pytest.mark.parametrize(
    ("kind", "name", "message"),
    [
        (
            "emitters",
            "tfl",
            "--format tfl is not known; did you mean tflite. There are: c, onnx-integer, onnx-qdq, onnx-tinpu, tflite",
        ),
        ("boards", "nucleo-l4r5z", "--board nucleo-l4r5z is not known; did you mean nucleo-l4r5zi"),
        ("networks", "resnet", r"the recipe's \[net\] name resnet is not known; did you mean (ts|tc)resnet|dsresnet"),
        ("trackers", "wandbb", "the tracker wandbb is not known; did you mean wandb"),
    ],
)
def test_an_unknown_name_is_answered_as_it_was_typed(kind, name, message):
    with pytest.raises(ConfigError, match=message):
        plugins.find(kind, name)


def test_dashes_and_underscores_are_alike():
    assert plugins.load("emitters", "onnx-qdq") is plugins.load("emitters", "onnx_qdq")


def test_an_unknown_kind():
    with pytest.raises(ConfigError, match="kind of plugin meter is not known; did you mean meters"):
        plugins.names("meter")
