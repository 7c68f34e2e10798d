"""The documentation site: what is written in docs/, and what is generated from the code when it is built."""
