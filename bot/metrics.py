"""What the bot counts, for Prometheus. One registry per process, made by the composition root."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram


class Metrics:
    """All metrics of the bot."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.updates = Counter("otklik_bot_updates", "Updates by outcome", ["outcome"], registry=self.registry)
        self.replies = Counter("otklik_bot_replies", "Replies by outcome", ["outcome"], registry=self.registry)
        self.doubtful = Counter(
            "otklik_bot_possible_duplicates", "Sends that may have happened before", registry=self.registry
        )
        self.flood_waits = Counter("otklik_bot_flood_waits", "Times Telegram asked to wait", registry=self.registry)
        self.ratings = Counter("otklik_bot_ratings", "Judgements by source", ["source"], registry=self.registry)
        self.in_flight = Gauge("otklik_bot_in_flight", "Requests people wait for", registry=self.registry)
        self.delivery = Histogram(
            "otklik_bot_reply_seconds",
            "From a request to its reply on the screen",
            buckets=(0.05, 0.1, 0.25, 0.5, 1, 2, 5, 10, 30, 60, 300),
            registry=self.registry,
        )
