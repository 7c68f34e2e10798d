"""Bad recordings: detected, ranked with reasons, and reviewed by a person who keeps or drops each.

clips.py       the clips to check: splits of a prepared data set, or any folder of word folders
faults.py      silent, clipped, cut off: from the samples of one clip
duplicates.py  the same recording twice, also at another volume or re-encoded
embeddings.py  vectors of clips, for linear probes and for selectors
probe.py       class probabilities by models that were not trained on the clip
labels.py      wrong labels from these probabilities (confident learning)
rank.py        all of it in one ranking, which is a file
links.py       decisions applied as a folder of links, for recordings that are not prepared
review.py      the content and actions of the review page
server.py      its HTTP server, for this machine only
"""
