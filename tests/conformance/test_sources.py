"""Every source of recordings lists each clip of a small data set once, and refuses a folder without recordings."""

import numpy as np
import pytest
import soundfile

from edgekws import plugins
from edgekws.data import listing
from edgekws.data.sources.speech_commands import KEYWORDS, MAIN
from edgekws.errors import DataError

RATE_HZ, CLIP_SAMPLES, SPEAKERS = 16_000, 16_000, 40
WORDS = (*KEYWORDS, "bed", "cat")


@pytest.fixture(params=plugins.names("sources"))
def source(request):
    return plugins.load("sources", request.param)


def write(path, samples):
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, samples, RATE_HZ)


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """Word folders in the layout of Speech Commands: lists of two splits, two background noises, no test archive."""
    folder = tmp_path_factory.mktemp("recordings") / MAIN
    rng = np.random.default_rng(0)
    noise = rng.integers(-3000, 3000, 10 * RATE_HZ).astype(np.int16)
    names = [f"{word}/s{speaker:02d}_nohash_0.wav" for word in WORDS for speaker in range(SPEAKERS)]
    for name in names:
        write(folder / name, noise[:4000])
    for name in ("running_tap.wav", "pink_noise.wav"):
        write(folder / listing.NOISE_FOLDER / name, noise)
    (folder / "validation_list.txt").write_text("\n".join(names[0::10]))
    (folder / "testing_list.txt").write_text("\n".join(names[1::10]))
    return folder


def test_lists_each_recording_once(source, root):
    listed = source.scan(root, CLIP_SAMPLES)
    assert set(listed.splits) == set(listing.SPLITS)
    recordings = [item for split in listing.SPLITS for item in listed.splits[split]]
    ids = [item.id for item in recordings]
    assert len(set(ids)) == len(ids)
    files = [item for item in recordings if item.make is None]
    whole_files = {item.path.resolve() for item in files if item.start is None}
    assert whole_files == {path.resolve() for word in WORDS for path in (root / word).iterdir()}
    assert all(item.path.is_file() for item in files)
    assert {item.label for item in listed.splits["train"]} == set(listed.labels)
    assert {path.name for path in listed.noises} <= {"running_tap.wav", "pink_noise.wav"}


def test_the_listing_is_the_same_each_time(source, root):
    assert source.scan(root, CLIP_SAMPLES) == source.scan(root, CLIP_SAMPLES)


def test_a_folder_that_is_missing_or_empty_is_refused(source, tmp_path):
    for folder in (tmp_path / "missing", tmp_path):
        with pytest.raises(DataError) as caught:
            source.scan(folder, CLIP_SAMPLES)
        assert "should" in str(caught.value)
