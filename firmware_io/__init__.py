"""Boards, from the host's side: build, start, talk, measure. Never imports torch."""
