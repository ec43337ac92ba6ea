"""Handlers, one subject a file. Each makes a fresh router; their order is in `bot/dispatch.py`."""
