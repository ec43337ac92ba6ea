"""What a message may be about, as readers tell it and open replies are sorted by."""

from __future__ import annotations

SUBJECTS = (
    "pets", "health", "sleep", "food", "work", "study", "money", "things", "home", "road", "travel", "weather",
    "garden", "parents", "kids", "love", "friends", "strangers", "feast", "screen", "music", "sport", "tech", "hobby",
    "looks", "mood", "past", "grief", "services",
)  # fmt: skip
# About none of them.
NONE = "-"
ABOUT = (*SUBJECTS, NONE)
