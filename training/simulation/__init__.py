"""The proof that the loop learns: synthetic people with known tastes talk to the real bot's line, which refits."""
