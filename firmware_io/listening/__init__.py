"""A board that listens: audio goes to its firmware over the serial line, its events come back.

frames     the bytes of a frame
board      the conversation: a stream, settings, histogram, cost
drift      how far a histogram of the field is from that of validation
"""
