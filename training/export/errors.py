"""What can stop an export, named by cause; every text says what to do.

ExportError
├── SourceUnusable    the model or the adapter cannot be exported as it is
├── Unsupported       the target format cannot express it
├── NoSpace           the disk is too small for the result
├── ToolMissing       a program or package is not installed
├── OutputExists      something is already where the result should go
└── HubRefused        the hub cannot be reached or says no
"""

from __future__ import annotations


class ExportError(ValueError):
    """Base of everything that this package raises on purpose."""


class SourceUnusable(ExportError):
    """The model or adapter is missing, damaged, quantized or of a kind that cannot be merged."""


class Unsupported(ExportError):
    """The target format or its programs have no way to say what this model or template does."""


class NoSpace(ExportError):
    """The disk has less free room than the result takes."""


class ToolMissing(ExportError):
    """An optional program or package is needed for what was asked."""


class OutputExists(ExportError):
    """Nothing is overwritten unless --force says so."""


class HubRefused(ExportError):
    """The upload failed; the text never holds the token."""
