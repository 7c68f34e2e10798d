"""The sounds of a phrase and of what nearly sounds like it, by espeak-ng's rules of English.

Phonemes are espeak-ng's mnemonics (`espeak-ng -x --sep=_`): "computer" is k @ m p j 'u: t 3. A leading ' or , is a
stress mark.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterable, Sequence

import numpy as np

from edgekws.errors import ConfigError, DataError

_PROGRAM, _TIMEOUT_S = "espeak-ng", 60
_VOWELS = ("i:", "u:", "eI", "aI", "aU", "O:", "oU", "A:")
_CONSONANTS = ("b", "d", "f", "g", "h", "k", "l", "m", "n", "p", "r", "s", "t", "v", "w", "z", "S", "tS", "dZ", "j")
"""Replacements; no two of one list are variants of one sound in any accent of English."""
_STRESS = "',"
_WORD_END = ""


def available() -> bool:
    """Whether espeak-ng is installed."""
    return shutil.which(_PROGRAM) is not None


def of(texts: Sequence[str]) -> list[list[str]]:
    """Phonemes of each text, words in order without marks between them.

    Raises ConfigError where a text has no sound, and DataError when espeak-ng fails.
    """
    return [[sound for word in words for sound in word] for words in of_words(texts)]


def of_words(texts: Sequence[str]) -> list[list[list[str]]]:
    """As `of`, but a list for each word."""
    lines = "\n".join(_plain(text) for text in texts)
    command = [_PROGRAM, "-q", "-x", "--sep=_", "-v", "en-us"]
    try:
        done = subprocess.run(
            command, input=lines, check=True, capture_output=True, timeout=_TIMEOUT_S, text=True, encoding="utf-8"
        )
    except (OSError, subprocess.SubprocessError) as error:
        hint = "install espeak-ng, or repair its installation"
        raise DataError(f"{_PROGRAM} should tell how words sound", got=str(error), hint=hint) from error
    said = [line.split() for line in done.stdout.splitlines() if line.strip()]
    if len(said) != len(texts):
        raise ConfigError("a phrase should have words that can be said", got=f"{len(said)} of {len(texts)}")
    return [[word.split("_") for word in words] for words in said]


def distance(one: Sequence[str], two: Sequence[str]) -> float:
    """Edit distance of two lists of phonemes, stress aside, as a share of the longer one: 0 same, 1 nothing alike."""
    one, two = [_bare(sound) for sound in one], [_bare(sound) for sound in two]
    row = list(range(len(two) + 1))
    for i, mine in enumerate(one, 1):
        before, row[0] = row[0], i
        for j, theirs in enumerate(two, 1):
            before, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, before + (mine != theirs))
    return row[-1] / max(len(one), len(two), 1)


def nearest(phrase: Sequence[str], words: Iterable[str], count: int) -> list[str]:
    """The `count` words that sound most like the phrase, without those that contain it, such as its plural."""
    listed, whole = list(words), "".join(map(_bare, phrase))
    ranked = sorted(
        (distance(phrase, sounds), word)
        for word, sounds in zip(listed, of(listed), strict=True)
        if whole not in "".join(map(_bare, sounds))
    )
    return [word for _, word in ranked][:count]


def altered(phrase: Sequence[str], count: int, rng: np.random.Generator) -> list[str]:
    """Mnemonics of `count` phrases of which a third to two thirds of the sounds are replaced or missing."""
    results = []
    for _ in range(count):
        changes = max(1, round(len(phrase) * rng.uniform(0.33, 0.67)))
        places = set(rng.permutation(len(phrase))[:changes].tolist())
        sounds = [_replaced(sound, rng) if at in places else sound for at, sound in enumerate(phrase)]
        results.append("".join(sounds))
    return [text for text in results if text.strip(_STRESS)]


def parts(phrase: Sequence[str]) -> list[str]:
    """Mnemonics of the beginnings and ends of the phrase, of a third to two thirds of its sounds."""
    cuts = sorted({max(1, round(len(phrase) * share)) for share in (1 / 3, 1 / 2, 2 / 3)} - {len(phrase)})
    return ["".join(piece) for cut in cuts for piece in (phrase[:cut], phrase[cut:])]


def syllables(phrase: Sequence[str]) -> int:
    """Vowels of the phrase, at least 1."""
    return max(1, sum(_is_vowel(sound) for sound in phrase))


def _replaced(sound: str, rng: np.random.Generator) -> str:
    """Another sound of the same kind; of consonants a quarter goes without one."""
    stress, bare = sound[: len(sound) - len(_bare(sound))], _bare(sound)
    if _is_vowel(sound):
        return stress + str(rng.choice([each for each in _VOWELS if each[0] != bare[:1]]))
    if rng.random() < 0.25:
        return _WORD_END
    return stress + str(rng.choice([each for each in _CONSONANTS if each != bare]))


def _bare(sound: str) -> str:
    return sound.lstrip(_STRESS)


def _is_vowel(sound: str) -> bool:
    return _bare(sound)[:1] in tuple("aeiouAEIOUV@03")


def _plain(text: str) -> str:
    """Without marks at which espeak-ng would begin another line."""
    return " ".join("".join(letter if letter.isalnum() or letter == "'" else " " for letter in text).split())
