"""Arrows of import point one way, and importing edgekws costs nothing."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
MODULES = sorted([*ROOT.glob("edgekws/**/*.py"), *ROOT.glob("firmware_io/**/*.py")])
HEAVY = {"torch", "sklearn", "pyarrow", "onnx", "onnxruntime", "ai_edge_litert", "matplotlib", "tensorflow"}
TORCH_AT_HOME = (
    "edgekws.nets",
    "edgekws.quant",
    "edgekws.training.loop",
    "edgekws.training.checkpoint",
    "edgekws.curate.embed",
)

FORBIDDEN = {
    "edgekws.types": ("edgekws.", "firmware_io"),
    "edgekws.errors": ("edgekws.", "firmware_io"),
    "edgekws.data": (
        "edgekws.graph",
        "edgekws.quant",
        "edgekws.emit",
        "edgekws.training.loop",
        "edgekws.targets",
        "firmware_io",
    ),
    "edgekws.features.spec": ("edgekws.data", "edgekws.graph", "edgekws.quant", "firmware_io"),
    "edgekws.graph": (
        "edgekws.data",
        "edgekws.quant",
        "edgekws.emit",
        "edgekws.targets",
        "edgekws.training.loop",
        "firmware_io",
    ),
    "edgekws.engines": ("edgekws.data", "edgekws.quant", "edgekws.emit", "edgekws.training.loop", "firmware_io"),
    "edgekws.targets": (
        "edgekws.data",
        "edgekws.quant",
        "edgekws.emit",
        "edgekws.training.loop",
        "edgekws.cost",
        "edgekws.vendor",
        "firmware_io",
    ),
    "edgekws.cost": (
        "edgekws.data",
        "edgekws.quant",
        "edgekws.emit",
        "edgekws.training.loop",
        "edgekws.vendor",
        "firmware_io",
    ),
    "edgekws.vendor": ("edgekws.data", "edgekws.quant", "edgekws.training.loop", "edgekws.pipeline", "firmware_io"),
    "edgekws.api": ("edgekws.data", "edgekws.training.loop", "edgekws.pipeline", "firmware_io"),
    "edgekws.curate.sandbox": (
        "edgekws.data.",
        "edgekws.curate.dataperf",
        "edgekws.curate.select",
        "edgekws.curate.shards",
        "edgekws.training.loop",
        "firmware_io",
    ),
    "edgekws.curate.embed": (
        "edgekws.curate.clean",
        "edgekws.curate.downstream",
        "edgekws.curate.select",
        "edgekws.training.loop",
        "edgekws.quant",
        "firmware_io",
    ),
    "edgekws.curate.clean": (
        "edgekws.curate.select",
        "edgekws.curate.shards",
        "edgekws.curate.downstream",
        "edgekws.training.loop",
        "edgekws.quant",
    ),
    "edgekws.curate.downstream": ("edgekws.curate.shards", "edgekws.curate.dataperf", "edgekws.curate.sandbox"),
    "edgekws.curate.select": (
        "edgekws.cli",
        "edgekws.training.loop",
        "edgekws.quant",
        "edgekws.curate.downstream",
        "firmware_io",
    ),
    "edgekws.curate.dataperf": (
        "edgekws.curate.select",
        "edgekws.curate.shards",
        "edgekws.curate.embed",
        "edgekws.training.loop",
        "edgekws.quant",
        "edgekws.curate.downstream",
        "firmware_io",
    ),
    "edgekws.curate.shards": (
        "edgekws.cli",
        "edgekws.training.loop",
        "edgekws.quant",
        "edgekws.curate.downstream",
        "firmware_io",
    ),
    "edgekws.emit": ("edgekws.data", "edgekws.quant", "edgekws.training.loop", "firmware_io"),
    "edgekws": ("edgekws.cli", "firmware_io"),
    "firmware_io": (
        "edgekws.cli",
        "edgekws.data",
        "edgekws.quant",
        "edgekws.training.loop",
        "edgekws.nets",
        "edgekws.pipeline",
    ),
}


def name_of(path):
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def imports(path, everywhere):
    """Modules that `path` imports at run time; with `everywhere`, inside of functions too."""
    tree = ast.parse(path.read_text())
    nodes = ast.walk(tree) if everywhere else tree.body
    guarded = [n for n in ast.walk(tree) if isinstance(n, ast.If) and "TYPE_CHECKING" in ast.dump(n.test)]
    skipped = {id(inner) for block in guarded for inner in ast.walk(block)}
    for node in nodes:
        if id(node) in skipped:
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def rules_for(module):
    return [rule for rule in FORBIDDEN if module == rule or module.startswith(f"{rule}.")]


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_no_module_imports_against_the_arrows(path):
    module = name_of(path)
    if module == "edgekws.cli" or module.startswith("edgekws.cli."):
        return  # the composition root
    found = set(imports(path, everywhere=True))
    for rule in rules_for(module):
        for banned in FORBIDDEN[rule]:
            wrong = {
                name for name in found if f"{name}.".startswith(banned) and not f"{name}.".startswith(f"{module}.")
            }
            allowed = {
                name for name in wrong if rule in ("edgekws.types", "edgekws.errors") and name.startswith(module)
            }
            assert not wrong - allowed, f"{module} imports {sorted(wrong - allowed)}"


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_heavy_packages_are_imported_inside_of_functions(path):
    module = name_of(path)
    at_top = {name.split(".")[0] for name in imports(path, everywhere=False)} & HEAVY
    if module.startswith(TORCH_AT_HOME):
        at_top -= {"torch"}
    assert not at_top, f"{module} imports {at_top} when it is itself imported"


def test_importing_the_packages_and_the_command_line_loads_nothing_heavy():
    code = f"import sys, edgekws, edgekws.cli, firmware_io; print(sorted({HEAVY!r} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
