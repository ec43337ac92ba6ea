"""What can go wrong with a help desk, each with what to do; no message carries a secret or a customer's words.

HelpDeskError (ValueError)
├── WrongSettings      settings are missing or contradict each other
├── WrongCredentials   the desk refuses the client, the refresh token or its scopes
├── LimitReached       the desk's limit asks for a longer wait than allowed
├── Unreachable        no answer after all retries
├── OddAnswer          an answer that its documentation does not describe
└── FolderTaken        the folder holds another export
"""

from __future__ import annotations


class HelpDeskError(ValueError):
    """An export cannot go on; the message says why and what to do."""


class WrongSettings(HelpDeskError):
    """Settings are missing or contradict each other; the message lists all."""


class WrongCredentials(HelpDeskError):
    """The desk refuses the client, the refresh token or its scopes."""


class LimitReached(HelpDeskError):
    """The desk asks for a longer wait than the settings allow."""


class Unreachable(HelpDeskError):
    """No usable answer after all retries."""


class OddAnswer(HelpDeskError):
    """An answer that the desk's documentation does not describe."""


class FolderTaken(HelpDeskError):
    """The folder holds an export that this start would mix with another."""
