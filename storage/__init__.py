"""Everything that crosses a process boundary: wire shapes, Redis queues, SQL, the adapter registry."""
