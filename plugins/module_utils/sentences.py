"""Pieces of sentences, for the modules."""

from __future__ import annotations


def listed(values: list) -> str:
    return f"{', '.join(map(str, values[:-1]))} or {values[-1]}" if len(values) > 1 else str(values[0])
