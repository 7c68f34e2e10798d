"""What the classes `_silence_` and `_unknown_` of own words are made of: noise, other words, fragments of her own."""
