"""DataPerf's speech challenge: its files of both generations, its loader's rules and its score.

```
first generation     samples.pb, eval.pb -> train.npz (or train.yaml)   -> accuracy of a logistic regression
today's              <word>.parquet + allowed_training_set.yaml, eval.yaml -> en_25_train.json -> mean macro F1
```
pb.py, npz.py, lists.py, words.py     each reads and writes one kind of file
first.py, loader.py                   vectors of a selection, in the order that the challenge's evaluation has them in
march2022.py                          the order and the two classifiers of the one protocol that differs in both
protocols.py, rules.py                how it counted, by date; what a selection may hold
ensemble.py, measures.py              its classifier; its measures
score.py, commands.py                 its number and what stands beside, from files; from the options of a command line
inspect.py, convert.py                what is in files; one form from another
splits.py, experiment.py              which clips are to train and to judge; a challenge of one's own
packages.py                           scikit-learn and the like, loaded when they are needed
"""
