"""Commands about words in streams."""
