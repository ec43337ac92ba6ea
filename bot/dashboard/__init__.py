"""Pages for operators and researchers: the loop at a glance. Server-rendered, no conversation is ever shown."""
