"""Tags of words: the schemes by which they mark spans, and spans from them. Nothing heavy is imported."""

from __future__ import annotations

SCHEMES = ("IOB1", "IOB2", "BIOES", "BILOU", "plain")
"""How tags mark spans; `plain`: a span is a run of one tag, and `O`, where there is one, is outside."""
