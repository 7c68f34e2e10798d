"""`python -m edgekws.cli`."""

from edgekws.cli import main

main()
