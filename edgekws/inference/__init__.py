"""A model of any kind, run on recordings: what it is, what runs it, and what it answers.

model          read a graph, an exported file or a checkpoint: labels, front end, provenance
classifier     the model on one executor: probabilities of clips
predict        the words in one recording, window by window
about          layers, front end, provenance and exports of a model
labelled       clips with true labels: word folders, a list in a CSV file, a prepared data set
"""
