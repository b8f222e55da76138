"""Measure how long the parts of a job take."""

from __future__ import annotations

import time

from zkchain.typing import Progress


class Clock:
    """Seconds between laps, by name."""

    def __init__(self) -> None:
        self.laps: dict[str, float] = {}
        self._last = time.perf_counter()

    def lap(self, name: str) -> None:
        now = time.perf_counter()
        self.laps[name], self._last = now - self._last, now


class Stages:
    """A Progress that passes on what it hears and notes how long each stage took; a stage ends where another begins."""

    def __init__(self, listener: Progress) -> None:
        self.seconds: dict[str, float] = {}
        self._listener = listener
        self._stage: str | None = None
        self._since = time.perf_counter()

    def __call__(self, stage: str, done: float) -> None:
        self.close()
        self._stage = stage
        self._listener(stage, done)

    def close(self) -> None:
        """End the current stage."""
        now = time.perf_counter()
        if self._stage is not None:
            self.seconds[self._stage] = self.seconds.get(self._stage, 0.0) + now - self._since
        self._since = now
