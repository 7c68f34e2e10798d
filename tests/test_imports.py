"""Arrows of import point one way, and importing edgekws costs nothing."""

import ast
import subprocess
import sys

import pytest

from scripts import structure

HEAVY = {"torch", "sklearn", "pyarrow", "onnx", "onnxruntime", "ai_edge_litert", "matplotlib", "tensorflow"}
TORCH_AT_HOME = (
    "edgekws.nets",
    "edgekws.quant",
    "edgekws.training",
    "edgekws.encoders",
    "edgekws.curate.embed",
    "edgekws.curate.experts",
    "edgekws.curate.hear",
    "edgekws.curate.downstream",
)
"""What imports torch when it is itself imported, or inside of functions."""
TORCH_INSIDE_FUNCTIONS = (
    *TORCH_AT_HOME,
    "edgekws.curate.clean.probe",
    "edgekws.pipeline",
    "edgekws.tuning",
)

LINE_STEPS = ("edgekws.data", "edgekws.quant", "edgekws.emit", "edgekws.training", "edgekws.pipeline", "firmware_io")
"""What the integer graph and all below it know nothing of."""
FORBIDDEN = {
    "edgekws.types": ("edgekws", "firmware_io"),
    "edgekws.errors": ("edgekws", "firmware_io"),
    "edgekws.files": (*LINE_STEPS, "edgekws.graph", "edgekws.features"),
    "edgekws.data": (
        "edgekws.graph",
        "edgekws.quant",
        "edgekws.emit",
        "edgekws.training",
        "edgekws.targets",
        "firmware_io",
    ),
    "edgekws.features.spec": ("edgekws.data", "edgekws.graph", "edgekws.quant", "firmware_io"),
    "edgekws.graph": (*LINE_STEPS, "edgekws.targets"),
    "edgekws.engines": LINE_STEPS,
    "edgekws.targets": (*LINE_STEPS, "edgekws.cost", "edgekws.vendor"),
    "edgekws.cost": (*LINE_STEPS, "edgekws.vendor"),
    "edgekws.vendor": ("edgekws.data", "edgekws.quant", "edgekws.training", "edgekws.pipeline", "firmware_io"),
    "edgekws.emit": ("edgekws.data", "edgekws.quant", "edgekws.training", "edgekws.pipeline", "firmware_io"),
    "edgekws.quant": ("edgekws.emit", "edgekws.pipeline", "edgekws.vendor", "firmware_io"),
    "edgekws.training": ("edgekws.emit", "edgekws.pipeline", "edgekws.vendor", "firmware_io"),
    "edgekws.api": ("edgekws.data", "edgekws.training", "edgekws.pipeline", "firmware_io"),
    "edgekws.curate.sandbox": ("edgekws.data", "edgekws.curate", "edgekws.training", "firmware_io"),
    "edgekws.curate.embed": (
        "edgekws.curate.clean",
        "edgekws.curate.downstream",
        "edgekws.curate.select",
        "edgekws.training",
        "edgekws.quant",
        "firmware_io",
    ),
    "edgekws.curate.clean": (
        "edgekws.curate.select",
        "edgekws.curate.shards",
        "edgekws.curate.downstream",
        "edgekws.training.loop",
        "edgekws.training.checkpoint",
        "edgekws.quant",
    ),
    "edgekws.curate.downstream": ("edgekws.curate.shards", "edgekws.curate.dataperf", "edgekws.curate.sandbox"),
    "edgekws.curate.select": ("edgekws.training", "edgekws.quant", "edgekws.curate.downstream", "firmware_io"),
    "edgekws.curate.dataperf": (
        "edgekws.curate.select",
        "edgekws.curate.shards",
        "edgekws.curate.embed",
        "edgekws.training",
        "edgekws.quant",
        "edgekws.curate.downstream",
        "firmware_io",
    ),
    "edgekws.curate.shards": ("edgekws.training", "edgekws.quant", "edgekws.curate.downstream", "firmware_io"),
    "edgekws": ("firmware_io",),
    "firmware_io": (
        "edgekws.data",
        "edgekws.quant",
        "edgekws.training",
        "edgekws.nets",
        "edgekws.encoders",
        "edgekws.pipeline",
        "edgekws.curate",
    ),
}
"""Package or module -> what it never imports, lazy or not; type-only imports count."""


def is_within(module: str, packages: tuple[str, ...]) -> bool:
    return any(f"{module}.".startswith(f"{package}.") for package in packages)


def external(path: str, everywhere: bool) -> set[str]:
    """Packages that are imported at run time; with `everywhere`, inside of functions too."""
    tree = structure.tree(path)
    guarded = [n for n in ast.walk(tree) if isinstance(n, ast.If) and "TYPE_CHECKING" in ast.dump(n.test)]
    skipped = {id(inner) for block in guarded for inner in ast.walk(block)}
    nodes = [node for node in (ast.walk(tree) if everywhere else tree.body) if id(node) not in skipped]
    names = [alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names]
    names += [node.module for node in nodes if isinstance(node, ast.ImportFrom) and node.module]
    return {name.partition(".")[0] for name in names}


@pytest.mark.parametrize("rule", FORBIDDEN)
def test_no_module_imports_against_the_arrows(rule):
    wrong = [
        f"{found.source}:{found.line} imports {found.target}"
        for found in structure.imports()
        if is_within(found.source, (rule,)) and not is_within(found.source, ("edgekws.cli",))
        if is_within(found.target, FORBIDDEN[rule]) and not is_within(found.target, (rule,))
    ]
    assert not wrong


def test_the_line_never_imports_the_data_track():
    line = [found for found in structure.imports() if not is_within(found.source, ("edgekws.curate", "edgekws.cli"))]
    assert not [found for found in line if is_within(found.target, ("edgekws.curate",))]


def test_nobody_imports_the_command_line():
    inside = ("edgekws.cli", "edgekws.__main__")
    others = [found for found in structure.imports() if not is_within(found.source, inside)]
    assert not [found for found in others if is_within(found.target, ("edgekws.cli",))]


@pytest.mark.parametrize("module", structure.modules())
def test_heavy_packages_are_imported_inside_of_functions(module):
    path = structure.modules()[module]
    heavy = external(path, everywhere=False) & HEAVY - ({"torch"} if is_within(module, TORCH_AT_HOME) else set())
    assert not heavy, f"{module} imports {heavy} when it is itself imported"
    if not is_within(module, TORCH_INSIDE_FUNCTIONS):
        assert "torch" not in external(path, everywhere=True)


def test_importing_the_packages_and_the_command_line_loads_nothing_heavy():
    code = f"import sys, edgekws, edgekws.cli, firmware_io; print(sorted({HEAVY!r} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
