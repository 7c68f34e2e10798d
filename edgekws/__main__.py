"""`python -m edgekws`."""

from edgekws.cli import main

main()
