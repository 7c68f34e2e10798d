"""The steps of the line, each one function: data set -> checkpoint -> graph -> artifacts.

Folder of one model:
    float/best.safetensors     trained network           float/log.csv, float/curves.svg
    float/training.json        its accuracy, and in words what there is to doubt
    quant/<plan>/best.safetensors    quantization-aware, if the recipe asks for it
    mixed.json, pareto.svg     bits per layer, if a budget was given
    graph.npz                  the integer graph, input of all later steps
    calibration.txt            the training clips used for calibration
    quantize.json              accuracy of the float network and of the graph, and their inputs
    export/                    artifacts, golden.npz, parity.json, manifest.json
"""

from edgekws.pipeline._export import (
    Exported,
    Parity,
    compare,
    export,
    parity_rows,
    require_parity,
    write_parity,
)
from edgekws.pipeline._figures import figures, manifests, versions
from edgekws.pipeline._float import float_logits
from edgekws.pipeline._prepare import prepare, sources
from edgekws.pipeline._quantize import quantize, read_scores, search
from edgekws.pipeline._train import train, training_header
from edgekws.pipeline._verdict import verdict
from edgekws.training.trained import Trained, load_trained

__all__ = [
    "Exported",
    "Parity",
    "Trained",
    "compare",
    "export",
    "figures",
    "float_logits",
    "load_trained",
    "manifests",
    "parity_rows",
    "prepare",
    "quantize",
    "read_scores",
    "require_parity",
    "search",
    "sources",
    "train",
    "training_header",
    "verdict",
    "versions",
    "write_parity",
]
