"""DataPerf's speech challenge: its file formats of both generations, its loader's rules and its score.

```
first generation     samples.pb, eval.pb -> train.npz (or train.yaml)   -> accuracy of a logistic regression
current              <word>.parquet + allowed_training_set.yaml, eval.yaml -> en_25_train.json -> mean macro F1
```
formats/                              one module per file format: pb, npz, lists, words (parquet), yaml
scorer/first_generation.py, loader.py vectors of a selection, in the order of the challenge's evaluation
scorer/march2022.py                   the order and the classifiers of the one protocol that differs in both
scorer/protocols.py, selection_rules.py  measures by date; the rules of a selection
scorer/ensemble.py, measures.py       its classifier; its measures
scorer/score.py, commands.py          scores and reports from files; from command-line options
inspect.py, convert.py                content of files; conversion between formats
splits.py, experiment.py              training and evaluation clips; a challenge from your own recordings
packages.py                           scikit-learn etc., imported on demand
"""
