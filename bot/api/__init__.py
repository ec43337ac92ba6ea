"""The same brain over HTTP: an OpenAI-compatible API with emotions. A front end like Telegram's, on the same queue."""
