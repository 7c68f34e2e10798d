"""Emitters that compile the firmware's C; edgekws/emit has the others, and says what an emitter is."""
