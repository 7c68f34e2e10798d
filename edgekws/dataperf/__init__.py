"""DataPerf's speech challenge: its files of both generations, its loader's rules and its score.

```
first generation     samples.pb, eval.pb -> train.npz (or train.yaml)   -> accuracy of a logistic regression
today's              <word>.parquet + allowed_training_set.yaml, eval.yaml -> en_25_train.json -> mean macro F1
```
pb.py, npz.py, lists.py and words.py each read and write one kind of file; loader.py puts vectors into the order that
the challenge's evaluation has them in; ensemble.py is its classifier; score.py is its number and what stands beside.
"""
