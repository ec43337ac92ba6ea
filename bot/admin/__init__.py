"""The operators' end in Telegram: what they see, what they may do, and what each deed leaves behind."""
