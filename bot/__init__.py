"""The people-facing ends: Telegram handlers, delivery, the playground. Never imports torch."""
