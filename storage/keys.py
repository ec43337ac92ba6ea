"""Every Redis key of the product is made here, and nowhere else.

All keys of one installation carry the same hash tag, so scripts that touch several of them work on Redis Cluster.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Keys:
    """Key names of one installation (`STORAGE_NAMESPACE`)."""

    namespace: str = "otklik"

    def _key(self, *parts: str | int) -> str:
        return ":".join(["{" + self.namespace + "}", *map(str, parts)])

    def stream(self, name: str) -> str:
        """A stream: `requests`, `replies`, `ratings`, `jobs`."""
        return self._key("stream", name)

    def replies(self, route: str) -> str:
        """The stream that replies of a route go to; the empty route is the Telegram bots'."""
        return self.stream("replies") if not route else self._key("direct", route)

    def dead(self, name: str) -> str:
        """Where messages of a stream go that nobody could handle."""
        return self._key("dead", name)

    def seen(self, name: str, message_id: str) -> str:
        """Marks that a message id was pushed to a stream; its value is the stream entry's id."""
        return self._key("seen", name, message_id)

    def done(self, request_id: str) -> str:
        """Marks that a request has its reply."""
        return self._key("done", request_id)

    def cancelled(self, request_id: str) -> str:
        """Set while a person wants a request to stop."""
        return self._key("cancel", request_id)

    def rating(self, chat_id: int, message_id: int) -> str:
        """Hash user id → merged rating of the answer judged last, user id:request id → of another of the message."""
        return self._key("rating", chat_id, message_id)

    def workers(self) -> str:
        """Sorted set of worker ids; a score is the moment (seconds since the epoch) until which it counts as alive."""
        return self._key("workers")

    def serving(self) -> str:
        """What workers are to serve, as JSON with its revision."""
        return self._key("serving")

    def loaded(self) -> str:
        """Hash worker id → what it has loaded."""
        return self._key("loaded")

    def job(self, job_id: str) -> str:
        """The newest sign of life of a training job."""
        return self._key("job", job_id)

    def picture(self, job_id: str) -> str:
        """A training job's picture, PNG as base64."""
        return self._key("picture", job_id)

    def summary(self) -> str:
        """What a refit would learn from now, as JSON."""
        return self._key("summary")

    def drain(self) -> str:
        """Set while workers are to leave the GPU to training; its value says until when, for people."""
        return self._key("drain")

    def sharing(self) -> str:
        """Hash worker id → whether it has left the GPU that it shares with training."""
        return self._key("sharing")

    def session(self, name: str) -> str:
        """A session of the dashboard."""
        return self._key("session", name)

    def widget(self, digest: str) -> str:
        """What a short-lived token of the operators' widget stands for."""
        return self._key("widget", digest)

    def once(self, key_id: str, digest: str) -> str:
        """The answer to an HTTP request with an Idempotency-Key."""
        return self._key("once", key_id, digest)

    def limit(self, user_id: int, scope: str = "") -> str:
        """Rolling window of one person's messages, or of something else that is counted apart."""
        return self._key("limit", user_id, *([scope] if scope else []))

    def refused(self, chat_id: int, user_id: int) -> str:
        """Sorted set of a person's messages that came too fast."""
        return self._key("refused", chat_id, user_id)

    def fsm(self, *parts: str | int) -> str:
        """What the bot waits for from a person."""
        return self._key("fsm", *parts)

    def handled(self, bot_id: int, update_id: int) -> str:
        """Hash of what was said to an update, and whether it had its effect, for updates that Telegram repeats."""
        return self._key("update", bot_id, update_id)
