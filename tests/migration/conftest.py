"""The small project that these tests work in."""

from tests.projects import heard, work

__all__ = ["heard", "work"]
