"""What the figures of an evaluation mean, in sentences for people."""

from __future__ import annotations

from collections.abc import Iterator

from edgekws.data.labels import SILENCE, words
from edgekws.evaluation.figures import LEAST_RECALL, MOST_OTHER, MOST_SILENCE, WIDE, Evaluation, Share, width


def percent(share: Share) -> str:
    """92.1 % (91.3 to 92.8)"""
    if share.value is None:
        return "no clips"
    return f"{100 * share.value:.1f} % ({100 * share.interval.low:.1f} to {100 * share.interval.high:.1f})"


def short(share: Share) -> str:
    """92.1 (91-93), in percent, for tables; "-" without clips."""
    if share.value is None:
        return "-"
    return f"{100 * share.value:.1f} ({100 * share.interval.low:.0f}-{100 * share.interval.high:.0f})"


def findings(result: Evaluation) -> Iterator[str]:
    """What a reader should know before trusting the figures: chance level, few clips, words that are never right."""
    if not result.is_above_chance:
        yield f"the accuracy is not above chance: always answering one label gives {100 * result.chance:.1f} %"
    if result.is_wide:
        points = 100 * width(result.accuracy)
        yield f"{result.n} clips are few: the interval of the accuracy is {points:.0f} points wide; evaluate more clips"
    of_words = result.thresholds[0].recall
    if not result.is_wide and of_words.n and width(of_words) > WIDE:
        points = 100 * width(of_words)
        yield f"{of_words.n} clips of words are few: the interval of their recall is {points:.0f} points wide"
    never = [row.label for row in result.classes if row.recall.n and not row.recall.hits]
    if never:
        yield f"never right: {', '.join(never)}"
    own = words(result.labels)
    if SILENCE in result.labels:
        row = result.confusion[result.labels.index(SILENCE)]
        taken = {label: int(row[result.labels.index(label)]) for label in own}
        worst = max(taken, key=lambda label: taken[label], default="")
        if worst and taken[worst] > MOST_SILENCE * row.sum():
            yield f"{SILENCE} is taken for a word: {sum(taken.values())} of {row.sum()} clips, {worst} most often"


def threshold_advice(result: Evaluation) -> str:
    """The suggested threshold and what it costs, or why there is none."""
    limits = f"at most {100 * MOST_SILENCE:g} % of silence and {100 * MOST_OTHER:g} % of other words accepted"
    first = result.thresholds[0]
    if not (first.silence.n or first.other.n):
        return "no threshold is suggested: there are no clips of silence or of other words to judge by"
    point = result.suggested
    if point is None:
        return f"no threshold is suggested: none has {limits}, and {100 * LEAST_RECALL:g} % of the words recognized"
    missing = [name for name, share in (("silence", first.silence), ("other words", first.other)) if not share.n]
    without = f"; judged without {missing[0]}, of which there are no clips" if missing else ""
    if point.threshold == 0:
        return f"no threshold is needed: {limits} without one{without}"
    return f"suggested threshold: {point.threshold:g}, with {percent(point.recall)} recall of words ({limits}){without}"
