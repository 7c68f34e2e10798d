"""`edgekws select`: choose few recordings of many, and score the choice as the DataPerf speech challenge does.

Options are spelled with dashes; the challenge's own spelling (`--train_file=...`) works as well.
"""
