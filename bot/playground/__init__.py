"""A local Telegram: a Bot API server on loopback with a chat page. Knows nothing of our bot or its models."""
