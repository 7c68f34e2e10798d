"""Recordings: plugs that list them (speech_commands, folder) and the prepared data set."""
