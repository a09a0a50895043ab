"""The counts of a server in the format of Prometheus. No text of a client is the name or label of a number."""

from __future__ import annotations

import time

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    generate_latest,
)
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from pofx.lm.prefix_memory import PrefixMemory
from pofx.server.running.paths import Labels
from pofx.server.work import Desk

_SECONDS = (0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0)
_CALLS = (1, 2, 4, 8, 16, 32, 64, 128, 256)


class Metrics:
    """The numbers of one server, in a registry of its own.

    Args:
        desk: The desk at which requests wait.
    """

    def __init__(self, desk: Desk) -> None:
        self._registry = registry = CollectorRegistry()
        self.requests = Counter(
            "pofx_requests", "Answers, by path and status.", ["path", "status"], registry=registry
        )
        self.seconds = Histogram(
            "pofx_request_seconds",
            "Seconds from a request to the end of its answer.",
            ["path"],
            registry=registry,
            buckets=_SECONDS,
        )
        self.tokens = Counter("pofx_tokens", "Tokens that models were asked for.", registry=registry)
        self.passes = Histogram(
            "pofx_pass_seconds",
            "Seconds of one computation of a model, without its pauses.",
            registry=registry,
            buckets=_SECONDS,
        )
        self.batch = Histogram(
            "pofx_batch_calls", "Calls that were computed together.", registry=registry, buckets=_CALLS
        )
        self.hits = Counter(
            "pofx_prefix_hits", "Texts of which a beginning was in the memory of prefixes.", registry=registry
        )
        self.saved = Counter(
            "pofx_prefix_saved_tokens", "Tokens that the memory of prefixes had.", registry=registry
        )
        self.read = Counter(
            "pofx_prefix_read_tokens", "Tokens that the memory of prefixes did not have.", registry=registry
        )
        self.kept = Gauge("pofx_prefix_bytes", "Bytes in the memory of prefixes.", registry=registry)
        waiting = Gauge(
            "pofx_queue_tokens", "Tokens of admitted requests, not yet answered.", registry=registry
        )
        waiting.set_function(lambda: desk.waiting)
        running = Gauge("pofx_running", "Requests that a thread works on or will work on.", registry=registry)
        running.set_function(lambda: desk.running)

    def computed(self, calls: int, tokens: int, seconds: float) -> None:
        """Count one computation of a model."""
        self.batch.observe(calls)
        self.tokens.inc(tokens)
        self.passes.observe(seconds)

    def watch(self, memory: PrefixMemory) -> None:
        """Report the size of a memory of prefixes."""
        self.kept.set_function(lambda: memory.bytes_kept)

    def recalled(self, texts: int, found: int, computed: int) -> None:
        """Count what one computation took from the memory of prefixes, and what it had to compute."""
        self.hits.inc(texts)
        self.saved.inc(found)
        self.read.inc(computed)

    def text(self) -> bytes:
        """Return all numbers in the text format of Prometheus."""
        return generate_latest(self._registry)


class Counting:
    """Count each answer by its path and status.

    Args:
        app: The application inside.
        metrics: The numbers.
        labels: The label of each path.
    """

    def __init__(self, app: ASGIApp, metrics: Metrics, labels: Labels) -> None:
        self._app, self._metrics, self._labels = app, metrics, labels

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, and count the answer."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        path = self._labels.of(scope["path"])
        status, began = 500, time.monotonic()

        async def noting(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, noting)
        finally:
            self._metrics.requests.labels(path, str(status)).inc()
            self._metrics.seconds.labels(path).observe(time.monotonic() - began)


async def metrics_endpoint(request: Request) -> Response:
    """Answer `GET /metrics`."""
    metrics: Metrics = request.app.state.metrics
    return Response(metrics.text(), media_type=CONTENT_TYPE_LATEST)
