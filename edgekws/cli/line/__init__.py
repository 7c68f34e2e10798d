"""Commands from a recipe to exported files, and the whole line at once."""
