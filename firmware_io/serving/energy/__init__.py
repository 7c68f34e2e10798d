"""MLPerf Tiny's energy set-up without hardware: what a host program of energy mode needs to be tried out.

    host program -> pseudo-terminal -> emulated interface board -> serial line of the board (energy mode)
                 -> pseudo-terminal -> emulated meter           <- edges of the board's time stamps

The board's firmware, its answers and its edges are real. Interface board and meter are emulated from their published
protocols, and the current is nominal: always meter.NOMINAL_A, whatever the board does. So the joules say nothing of
any board; they only show that the host's arithmetic is right. The meter's clock is this computer's, and QEMU holds the
board to it: it is never ahead, and behind only while the computer is too busy.
"""
