"""k-center: each next clip is the one farthest (by cosine) from all selected ones. Exactly greedy, in few passes.

A clip's similarity to its nearest centre never decreases. After a pass over all clips the least similar ones are held
in memory with their vectors. Greedy selection continues among them as long as its next clip comes before the first
clip that is not held, which cannot have moved up. Then all new centres are added in one pass. The selection is the one
that k passes would make, for any number of clips held.

k-center is sensitive to outliers, and bad recordings are outliers: filter first.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from edgekws.curate.shards.arithmetic import inverse_norms, lowest, nearest
from edgekws.curate.shards.methods.random import keys
from edgekws.curate.shards.run import Picks, Run
from edgekws.curate.shards.store import Store

_STATE = "state"


@dataclass(frozen=True)
class _Task:
    store: Store
    part: int
    centres: np.ndarray
    state: np.ndarray


def choose(run: Run, size: int, seed: int) -> Picks:
    known = run.saved(_STATE)
    if known is None:
        first = [int(np.argmin(keys(run, seed)))]
        chosen, state, passes = (
            first,
            _with_centres(run, first, np.full(run.store.rows, -2, np.float32), f"1 of {size}"),
            1,
        )
    else:
        chosen, state, passes = [int(row) for row in known["chosen"]], known["state"], int(known["passes"])
    while len(chosen) < size:
        new = _greedy(run, state, size - len(chosen))
        chosen, passes = [*chosen, *new], passes + 1
        state = _with_centres(run, new, state, f"{len(chosen)} of {size}")
        run.save(_STATE, chosen=np.array(chosen), state=state, passes=np.array(passes))
    run.counts["passes"] = passes
    least = float(state.min())
    return Picks(np.array(chosen), "least cosine of a clip to its nearest selected clip", min(least, 1.0))


def _with_centres(run: Run, new: list[int], state: np.ndarray, shown: str) -> np.ndarray:
    """The state with more centres, float32 [rows]: cosine to the nearest centre; infinite for a centre itself."""
    store, vectors = run.store, run.store.vectors(np.array(new))

    def task(part: int) -> _Task:
        start, stop = store.part_rows(part)
        return _Task(store, part, vectors, state[start:stop])

    partials = run.map_parts(_update, task, f"k-center ({shown})")
    result = np.concatenate([partials[part] for part in range(len(store.parts))])
    result[new] = np.inf
    return result


def _update(task: _Task) -> np.ndarray:
    centres = task.centres.astype(np.float32)
    state = task.state.copy()
    for start, stop in task.store.blocks(task.part):
        block = nearest(task.store.read(task.part, start, stop), centres)
        np.maximum(state[start:stop], block, out=state[start:stop])
    return state


def _greedy(run: Run, state: np.ndarray, count: int) -> list[int]:
    """The next rows that are certain before another pass: at least one, at most `count`."""
    held = np.sort(lowest(state, run.plan.cached_rows + 1))
    ahead = np.lexsort((held, state[held]))
    limit = held[ahead[-1]] if len(held) > run.plan.cached_rows else None
    held = np.delete(held, ahead[-1]) if limit is not None else held
    end = (state[limit], limit) if limit is not None else (np.float32(np.inf), run.store.rows)
    vectors, similar = run.store.vectors(held).astype(np.float32), state[held]
    inverse = inverse_norms(vectors)
    picks: list[int] = []
    while len(picks) < count and len(held):
        best = int(np.argmin(similar))  # ties: the first, and rows are sorted
        if (similar[best], held[best]) > end or similar[best] == np.inf:
            break
        picks.append(int(held[best]))
        similar = np.maximum(similar, nearest(vectors, vectors[best : best + 1], inverse))
        similar[best] = np.inf
        alive = similar <= end[0]
        if alive.mean() < 0.5:
            held, vectors, similar, inverse = held[alive], vectors[alive], similar[alive], inverse[alive]
    return picks
