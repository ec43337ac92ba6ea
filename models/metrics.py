"""Prometheus metrics of one worker, in a registry of its own. Knows nothing of the worker's loop."""

from __future__ import annotations

from threading import Thread
from typing import Any
from wsgiref.simple_server import WSGIServer

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, start_http_server

from storage.contracts import ChatReply, ReplyState

SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120)
ROWS = (1, 2, 4, 8, 16, 32, 64, 128, 256)


class Metrics:
    """Names start with `otklik_worker_`; no text and no person is in any label."""

    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        self.registry = registry or CollectorRegistry()
        made: dict[str, Any] = {"registry": self.registry, "namespace": "otklik", "subsystem": "worker"}
        self.queue_wait = Histogram("queue_wait_seconds", "From request to its worker.", buckets=SECONDS, **made)
        self.first_token = Histogram("first_token_seconds", "From worker to first token.", buckets=SECONDS, **made)
        self.generate = Histogram("generate_seconds", "Generation of one request.", buckets=SECONDS, **made)
        self.classify = Histogram("classify_seconds", "Classification of one round.", buckets=SECONDS, **made)
        self.batch_rows = Histogram("batch_rows", "Rows in a decode step.", buckets=ROWS, **made)
        self.step = Histogram("step_seconds", "One decode step.", buckets=SECONDS, **made)
        self.tokens = Counter("tokens", "Tokens generated; rate() of it is tokens a second.", **made)
        self.waiting = Gauge("waiting_requests", "Requests claimed and not yet in the batch.", **made)
        self.replies = Counter("replies", "Replies by state and reason.", ["state", "reason"], **made)
        self.fit = Counter("fit", "Answers checked, by preset and whether they fit.", ["preset", "hit"], **made)
        self.attempts = Counter("retries", "Rounds of candidates beyond the first.", **made)
        self.crashes = Counter("engine_crashes", "Decode steps that raised.", **made)
        self.revision = Gauge("serving_revision", "Revision of the registry that is served.", **made)
        self.loaded = Gauge("adapters_loaded", "Adapters that rows may name.", **made)
        self.faults = Gauge("adapter_faults", "Adapters (or presets) that are to be served and cannot be.", **made)
        self.swaps = Counter("swaps", "Changes of what is served.", **made)
        self.away = Gauge("away", "1 while the GPU is left to training.", **made)
        self.left = Counter("redelivered", "Requests taken over from a silent worker.", **made)

    def replied(self, reply: ChatReply) -> None:
        """Count one reply."""
        self.replies.labels(reply.state.value, reply.reason.value if reply.reason else "").inc()
        if reply.state is not ReplyState.DONE:
            return
        if reply.fit_ok is not None:
            self.fit.labels(reply.emotion, "yes" if reply.fit_ok else "no").inc()
        if reply.provenance is not None:
            timings = reply.provenance.timings
            self.queue_wait.observe(timings.queue)
            self.generate.observe(timings.generate)
            if timings.first_token is not None:
                self.first_token.observe(timings.first_token)
            self.attempts.inc(reply.provenance.attempts - 1)

    def listen(self, address: str) -> tuple[WSGIServer, Thread]:
        """Serve the metrics page on `host:port` in a thread of its own; returns both for whoever stops them."""
        host, _, port = address.rpartition(":")
        return start_http_server(int(port), addr=host or "127.0.0.1", registry=self.registry)
