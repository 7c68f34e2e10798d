"""Golden vectors as a C header, for a test on the device: inputs, the scores it must give, and the true labels."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from edgekws.graph import io
from edgekws.graph.ir import Graph

_PER_LINE = 20


def header(graph: Graph, features: np.ndarray, scores: np.ndarray, labels: np.ndarray, ids: Sequence[str]) -> str:
    """features int8 [n, frames, coefficients], scores int8 [n, labels], labels int [n].

    Values are int_least8_t: a C28x has no type of 8 bits.
    """
    count, words = len(features), graph.labels
    names = "\n".join(
        f"   {number}: {words[label]}, {name}" for number, (label, name) in enumerate(_labelled(labels, ids))
    )
    return f"""/* Golden vectors of {_comment(graph.name)}, graph {io.digest(graph)[:16]}. Made by edgekws; format 1.
   A clip passes when all of its {len(words)} scores are equal, not only the largest.

{_comment(names)}
*/
#ifndef EDGEKWS_TEST_VECTORS_H
#define EDGEKWS_TEST_VECTORS_H

#include <stdint.h>

#define EDGEKWS_CLIPS {count}
#define EDGEKWS_FEATURES {features[0].size} /* {features.shape[1]} frames of {features.shape[2]} coefficients */
#define EDGEKWS_LABELS {len(words)}

static const int_least8_t edgekws_features[EDGEKWS_CLIPS][EDGEKWS_FEATURES] = {{
{_rows(features)}
}};

static const int_least8_t edgekws_scores[EDGEKWS_CLIPS][EDGEKWS_LABELS] = {{
{_rows(scores)}
}};

static const int_least8_t edgekws_labels[EDGEKWS_CLIPS] = {{{", ".join(map(str, labels))}}};

#endif
"""


def _labelled(labels: np.ndarray, ids: Sequence[str]) -> list[tuple[int, str]]:
    return [(int(label), name) for label, name in zip(labels, ids, strict=True)]


def _comment(text: str) -> str:
    """Names of recordings and graphs cannot end a comment, or begin one within it."""
    return text.replace("*/", "* /").replace("/*", "/ *")


def _rows(values: np.ndarray) -> str:
    return ",\n".join(f"    {{{_wrapped(row)}}}" for row in values.reshape(len(values), -1))


def _wrapped(row: np.ndarray) -> str:
    numbers = [str(value) for value in row.tolist()]
    lines = [", ".join(numbers[start : start + _PER_LINE]) for start in range(0, len(numbers), _PER_LINE)]
    return ",\n     ".join(lines)
