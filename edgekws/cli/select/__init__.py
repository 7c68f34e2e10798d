"""`edgekws select`: select a few recordings of many, and score the selection as DataPerf's speech challenge does.

Options are spelled with dashes; the challenge's spelling (`--train_file=...`) is accepted as well.
"""
