"""The small project that these tests work in."""

from __future__ import annotations

from tests.projects import heard, work

__all__ = ["heard", "work"]
