"""Data preparation, one file per tuning method, evaluation and the gate. Knows nothing of Telegram."""
