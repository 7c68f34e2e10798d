"""`edgekws select`: choose few recordings of many, and score the choice."""
