"""Sound of any length, block by block in constant memory: int16 samples of one channel at one rate.

source       a stream of blocks, and what there is to say about it
conversion   channels, rate and numbers of each block
files        a file of any format
pipes        standard input: WAV as it comes, raw samples, or any file
"""
