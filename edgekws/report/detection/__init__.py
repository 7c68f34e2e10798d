"""Words in streams, for people.

timelines    what was heard, over time, as a picture or a page
pages        the report of `edgekws detect-eval`
plots        its pictures
"""
