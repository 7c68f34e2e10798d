"""LiteRT's C code writes notes to the standard error, which tear a progress bar apart; it has no switch for that."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress

_NOTE = b"INFO:"
_STDERR = 2


@contextmanager
def without_notes() -> Iterator[None]:
    """Drop the lines that C code writes to the standard error in a `with` block and that begin with INFO.

    All others follow at its end, also after an error. What other threads write meanwhile is treated alike.
    """
    try:
        kept = os.dup(_STDERR)
    except OSError:  # the standard error is closed: there is nothing to protect
        yield
        return
    with suppress(ValueError, AttributeError):
        sys.stderr.flush()
    with tempfile.TemporaryFile() as written:
        os.dup2(written.fileno(), _STDERR)
        try:
            yield
        finally:
            os.dup2(kept, _STDERR)
            os.close(kept)
            written.seek(0)
            rest = b"".join(line for line in written if not line.startswith(_NOTE))
            if rest:
                os.write(_STDERR, rest)
