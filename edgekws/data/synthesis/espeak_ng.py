"""espeak-ng: a small formant synthesizer with about a hundred voices, which also says phonemes (Debian: espeak-ng).

Its speech is the least natural of all engines, and its voices are the most varied.
"""

from __future__ import annotations

import shutil

from edgekws.data.phrase.utterance import Speech, Utterance, of_wav, output_of

HOW_TO_GET = "apt-get install espeak-ng"
SAYS_PHONEMES = True
SHARE = 1.0
PROGRAM = "espeak-ng"
_ACCENTS = ("en-us", "en-gb", "en-us-nyc", "en-gb-scotland", "en-gb-x-rp", "en-gb-x-gbclan", "en-029")
_VARIANTS = (
    "male1", "female1", "Adam", "Alicia", "male3", "female2", "Andrea", "Annie", "male5", "female3", "Ed", "Linda",
    "male7", "female4", "Jacky", "Steph", "male8", "female5", "Michael", "Belinda", "klatt4", "anika", "Mike",
    "Gene", "male2", "shelby", "Lee", "Alex", "grandma", "Denis", "male4", "Hugo", "rob", "steph2", "Max", "grandpa",
)  # fmt: skip
_WORDS_PER_MINUTE, _PITCH = 165, 50


def available() -> bool:
    """Whether the program is installed."""
    return shutil.which(PROGRAM) is not None


def voices() -> tuple[str, ...]:
    """Accents of English, each with several speakers."""
    return tuple(f"{_ACCENTS[number % len(_ACCENTS)]}+{name}" for number, name in enumerate(_VARIANTS))


def say(utterance: Utterance) -> Speech:
    """Speech at 22,050 Hz. Raises DataError when the engine fails."""
    text = f"[[{utterance.text}]]" if utterance.is_phonemes else utterance.text
    rate = round(_WORDS_PER_MINUTE * utterance.speed)
    pitch = min(99, max(0, round(_PITCH * utterance.pitch)))
    command = [PROGRAM, "-v", utterance.voice, "-s", str(rate), "-p", str(pitch), "--stdout", "--", text]
    return of_wav(output_of(command, PROGRAM), PROGRAM)
