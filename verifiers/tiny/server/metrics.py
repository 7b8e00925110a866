"""
What the server counts, under vLLM's names (vllm/v1/metrics/loggers.py and buckets.py, 0.33.0).
"""

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from verifiers.tiny.server.protocol import Answer, finish_reason

CONTENT_TYPE = CONTENT_TYPE_LATEST
_LABELS = ("model_name", "engine")
_ENGINE = "0"  # vLLM counts each of its engines; here is one

_LATENCY_BUCKETS = (
    *(0.3, 0.5, 0.8, 1, 1.5, 2, 2.5, 5, 10, 15, 20, 30, 40, 50, 60, 120, 240, 480, 960, 1920),
    7680,
)
_FIRST_TOKEN_BUCKETS = (
    *(0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10, 20),
    *(40, 80, 160, 640, 2560),
)


class Metrics:
    """The counters of one served model."""

    def __init__(
        self, model: str, *, num_running: Callable[[], int], num_waiting: Callable[[], int]
    ) -> None:
        self._registry = CollectorRegistry()
        self._labels = (model, _ENGINE)
        self._gauge("vllm:num_requests_running", "Requests in the model now.", num_running)
        self._gauge("vllm:num_requests_waiting", "Requests waiting for the model.", num_waiting)
        self._successes = Counter(
            "vllm:request_success",
            "Requests answered.",
            (*_LABELS, "finished_reason"),
            registry=self._registry,
        )
        self._prompt_tokens = self._counter("vllm:prompt_tokens", "Tokens of prompts.")
        self._answer_tokens = self._counter("vllm:generation_tokens", "Tokens of answers.")
        self._latency = self._histogram(
            "vllm:e2e_request_latency_seconds", "From request to answer.", _LATENCY_BUCKETS
        )
        self._first_token = self._histogram(
            "vllm:time_to_first_token_seconds", "From request to token.", _FIRST_TOKEN_BUCKETS
        )

    def count(self, answer: Answer, *, seconds: float) -> None:
        """Count one answered request; its first token is its last."""
        self._successes.labels(*self._labels, finish_reason(answer)).inc()
        self._prompt_tokens.inc(answer.prompt_tokens)
        self._answer_tokens.inc()
        self._latency.observe(seconds)
        self._first_token.observe(seconds)

    def text(self) -> bytes:
        """Return everything in the text format of Prometheus."""
        return generate_latest(self._registry)

    def _gauge(self, name: str, description: str, read: Callable[[], int]) -> None:
        gauge = Gauge(name, description, _LABELS, registry=self._registry)
        gauge.labels(*self._labels).set_function(read)

    def _counter(self, name: str, description: str) -> Counter:
        return Counter(name, description, _LABELS, registry=self._registry).labels(*self._labels)

    def _histogram(self, name: str, description: str, buckets: tuple[float, ...]) -> Histogram:
        histogram = Histogram(name, description, _LABELS, buckets=buckets, registry=self._registry)
        return histogram.labels(*self._labels)
