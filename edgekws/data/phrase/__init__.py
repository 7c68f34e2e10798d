"""A phrase said by speech engines: utterances, near misses by their sounds, the judgement of clips, and scenes of them.

    phrase -> utterances of many voices -> clips -> judged -----------------\\
           -> phonemes -> near misses, parts -> clips ----------------------- > scenes -> training
           words -> free speech; recordings and noises of the user ---------/
"""
