"""Compilers of vendors: their input files and their command lines. One module per compiler."""
