"""Bad recordings: found, ranked with their reasons, and listened to by a person who keeps or drops each.

clips.py       what is looked at: splits of a prepared data set, or any folder of word folders
faults.py      silent, clipped, cut off: from the samples of one clip
duplicates.py  the same recording twice, also louder or encoded anew
embeddings.py  vectors of clips, for linear probes and for selectors
probe.py       what a clip says according to models that never saw its label
labels.py      wrong labels from these probabilities (confident learning)
rank.py        all of it in one ranking, which is a file
decisions.py   the person's list, and the data set without what she dropped and with the labels she corrected
links.py       the same as a folder of links, for recordings that are not prepared
review.py      what the page shows and does
server.py      the page, on this machine only
"""
