"""What a message may be about, as readers tell it and open replies are sorted by."""

from __future__ import annotations

SUBJECTS = (
    "pets", "health", "sleep", "food", "work", "study", "money", "things", "home", "road", "travel", "weather",
    "garden", "parents", "kids", "love", "friends", "strangers", "feast", "screen", "music", "sport", "tech", "hobby",
    "looks", "mood", "past", "grief", "services",
)  # fmt: skip
# What is said to the bot itself, with the kind of message that it is.
TALK = {
    "hello": "plain", "bye": "plain", "thanks": "good", "scold": "bad", "howare": "asks", "whoare": "asks",
    "can": "asks", "feel": "asks", "taste": "asks", "tell": "asks",
}  # fmt: skip
# About none of them.
NONE = "-"
ABOUT = (*SUBJECTS, *TALK, NONE)
