"""Training for the detection of one phrase: on scenes, by the highest posterior of each."""
