"""The program that runs in the sandbox: `python -m edgekws.curate.select.sandboxed_main INPUTS OUTPUT`.

INPUTS holds request.json, pool.npz and the user's file; selection.json is written to OUTPUT.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from edgekws.curate.select import files
from edgekws.curate.select.run import run
from edgekws.errors import EdgeKwsError


def main(inputs: Path, output: Path) -> int:
    request = json.loads((inputs / "request.json").read_text())
    name = request["selector"]
    if name.partition(":")[0].endswith(".py"):
        name = str(inputs / name)
    try:
        chosen = run(name, files.read_npz(inputs / "pool.npz"), request["size"], request["seed"], request["config"])
    except EdgeKwsError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    (output / "selection.json").write_text(json.dumps(files.selection_to(chosen)))
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), Path(sys.argv[2])))
