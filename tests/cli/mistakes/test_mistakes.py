"""Mistakes that people make, one a line: each is answered by one paragraph and the documented exit code.

A row is the command line without `edgekws`, the exit code, and words that the answer must have.
"""

from __future__ import annotations

import pytest

from tests.cli.mistakes.conftest import Run

USAGE, DATA, CONFIG, TARGET, BOARD, ARTIFACT = 2, 3, 4, 5, 7, 8
MISTAKES = [
    # commands and options that do not exist
    ("trian", USAGE, "edgekws trian is not known; did you mean edgekws train?"),
    ("data prpare", USAGE, "did you mean edgekws data prepare?"),
    ("select scroe", USAGE, "did you mean edgekws select score?"),
    ("train --recip x", USAGE, "--recip is not known; did you mean --recipe?"),
    ("--versoin", USAGE, "did you mean --version?"),
    ("models --board host", USAGE, "edgekws models has no option --board; these commands have it: detect, demo"),
    ("info --model x", USAGE, "edgekws info takes MODEL without an option's name"),
    ("ports --colour", USAGE, "the option --colour is not known"),
    ("models dscnn", USAGE, "this command takes no argument dscnn"),
    ("export dscnn", USAGE, "takes no argument dscnn. What to do: edgekws export --out dscnn."),
    ("train dscnn", USAGE, "takes no argument dscnn. What to do: edgekws train --recipe dscnn."),
    ("check", USAGE, "MODEL is missing"),
    # values that an option cannot have
    ("train --epochs many", USAGE, "--epochs should be a whole number. Got: many"),
    ("train --epochs 1.5", USAGE, "--epochs should be a whole number. Got: 1.5"),
    ("train --recipe dscnn --epochs -3", CONFIG, "--epochs should be at least 1. Got: -3"),
    ("train --recipe dscnn --seed -1", CONFIG, "--seed should be at least 0. Got: -1"),
    ("bench --clips -1", USAGE, "--clips should be at least 0. Got: -1"),
    ("bench --window-s nan", USAGE, "--window-s should be at least 0.01. Got: nan"),
    ("bench --voltage 230", USAGE, "--voltage should be at most 6"),
    ("demo --steps 0", USAGE, "--steps should be at least 1"),
    ("train --out ''", USAGE, "--out should have a value. Got: nothing"),
    ("train --out=", USAGE, "--out should have a value"),
    ("train --data '  '", USAGE, "--data should have a value"),
    ("bench --port", USAGE, "--port should have a value"),
    ("check dscnn --strict=yes", USAGE, "--strict should have no value"),
    ("check ~nobody-of-this-name/model", USAGE, "should begin with the home of a user"),
    # recipes
    ("train --recipe gone.toml", CONFIG, "there is no file gone.toml; a recipe is expected there"),
    ("train --recipe dscn", CONFIG, "did you mean dscnn, a released recipe?"),
    ("train --recipe own_wrds", CONFIG, "did you mean own_words, a released recipe?"),
    ("train --recipe sounds", CONFIG, "sounds is a folder; a recipe is expected there"),
    ("train --recipe syntax.toml", CONFIG, "syntax.toml should be TOML. Got: Invalid value (at line 2"),
    ("train --recipe key.toml", CONFIG, "[train] the key epoch is not known; did you mean epochs?"),
    ("train --recipe section.toml", CONFIG, "the key trian is not known; did you mean train?"),
    ("train --recipe text.toml", CONFIG, "train.epochs should be a whole number. Got: 'three'"),
    ("train --recipe range.toml", CONFIG, "train.batch should be at least 2. Got: 1"),
    ("train --recipe net.toml", CONFIG, "name dscn is not known; did you mean dscnn?"),
    ("train --recipe option.toml", CONFIG, "the option chanels is not known; did you mean channels?"),
    ("train --recipe target.toml", CONFIG, "the target tinpuu is not known; did you mean tinpu?"),
    ("train --recipe teacher.toml", CONFIG, "train.teachers should name a file. Got: gone.safetensors"),
    ("train --recipe list.toml", CONFIG, "quant.calibration_list should name a file. Got: gone.txt"),
    # models
    ("check absent", CONFIG, "there is no file or folder absent"),
    ("check dscn", CONFIG, "did you mean dscnn, a released model?"),
    ("check notes.txt", CONFIG, "a model should be an integer graph (graph.npz), or a float network"),
    ("check damaged.npz", ARTIFACT, "damaged.npz"),
    ("check dscnn --target tinpuu", CONFIG, "the target tinpuu is not known; did you mean tinpu?"),
    ("check dscnn --target tinpu:f28", CONFIG, "did you mean tinpu:f28p55x?"),
    ("check dscnn --bits 4", CONFIG, "--bits goes with a float network"),
    ("bench --out dscn", ARTIFACT, "did you mean dscnn, a released model?"),
    ("export --out sounds", ARTIFACT, "sounds should hold the integer graph of the model. Got: no graph.npz in it"),
    ("quantize --out absent", ARTIFACT, "absent should hold a trained network. Got: no such folder"),
    ("export --format tfl", CONFIG, "--format tfl is not known; did you mean tflite?"),
    ("export --for ti-nn", CONFIG, "--for ti-nn is not known; did you mean ti-nnc?"),
    ("export --device f28p55x", CONFIG, "--device goes with --for"),
    ("export --format c --for ti-nnc", CONFIG, "--format or --for, not both"),
    # boards and their runs
    ("flash --board qemu-an38", CONFIG, "--board qemu-an38 is not known; did you mean qemu-an386?"),
    ("bench --board nucleo", CONFIG, "--board nucleo is not known"),
    ("demo --board qemu-an38", CONFIG, "did you mean qemu-an386?"),
    ("bench --out dscnn --mode acuracy", CONFIG, "--mode acuracy is not known; did you mean accuracy?"),
    ("bench --out dscnn --meter csv:x", CONFIG, "--meter belongs to --mode energy"),
    ("bench --out dscnn --voltage 3", CONFIG, "--voltage and --iterations belong to --meter"),
    ("bench --out dscnn --port seral:/dev/x", CONFIG, "--port seral is not known; did you mean serial?"),
    ("flash --board lp-mspm0g5187 --out dscnn --port seral:/dev/x", CONFIG, "did you mean serial?"),
    ("flash --board lp-mspm0g5187 --out dscnn --tool openocdd", CONFIG, "did you mean openocd?"),
    ("flash --board lp-mspm0g5187 --image gone.elf", ARTIFACT, "there is no file gone.elf"),
    ("bench --out dscnn --board host --vectors sounds", DATA, "sounds should hold recordings that can be read"),
    ("bench --out dscnn --board host --vectors gone.npz", ARTIFACT, "there is no file gone.npz"),
    ("bench --out dscnn --board host --mlperf x --windows 1", CONFIG, "a session of MLPerf Tiny has"),
    ("compare gone one", ARTIFACT, "there is no file gone"),
    ("verify gone", ARTIFACT, "there is no file gone/manifest.json"),
    # recordings and data sets
    ("train", DATA, "work/data should be a prepared data set"),
    ("train --data sounds", DATA, "sounds should be a prepared data set"),
    ("data info --data gone", DATA, "gone should be a prepared data set"),
    ("data prepare --root gone", DATA, "gone should be a folder of word folders. Got: no such folder"),
    ("data prepare --root sounds --source foldr", CONFIG, "--source foldr is not known; did you mean folder?"),
    ("data clean --root gone", DATA, "gone should be a folder of word folders"),
    ("data clean --probe netwrk", CONFIG, "--probe netwrk is not known; did you mean network?"),
    ("data clean --split trian", CONFIG, "--split trian is not known; did you mean train?"),
    ("data drop --decisions gone.json", ARTIFACT, "there is no file gone.json"),
    ("plugins bords", CONFIG, "the kind of plugin bords is not known; did you mean boards?"),
]


@pytest.mark.parametrize(("line", "code", "words"), MISTAKES, ids=[line for line, *_ in MISTAKES])
def test_a_mistake_is_answered_in_one_paragraph(line: str, code: int, words: str, edgekws: Run) -> None:
    ended = edgekws(line)
    assert ended.code == code, ended.err
    assert words in ended.message, ended.err
    assert "\n" not in ended.message and ended.err.count("error: ") == 1, ended.err
    assert "Traceback" not in ended.err + ended.out and "Errno" not in ended.message
    assert not any(word in ended.message for word in ("Input should", "NoneType", "object has no attribute"))
