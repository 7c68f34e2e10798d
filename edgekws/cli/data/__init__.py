"""Commands on recordings: prepare, clean, embed."""
