"""All that an operation of AWS lists, page by page, for the modules."""

from __future__ import annotations

from collections.abc import Iterator

# Where an answer says that there is more → how the next page is asked for.
TOKENS = {"nextToken": "nextToken", "NextToken": "NextToken", "NextMarker": "NextMarker", "Marker": "Marker"}


def answers(client, operation: str, key: str, **parameters) -> Iterator:
    """What is listed under a key. Some operations that give pages have no paginator in botocore, among them that of capacity
    providers, which lists ten."""
    if client.can_paginate(operation):
        for page in client.get_paginator(operation).paginate(**parameters):
            yield from page.get(key, [])
        return
    while True:
        page = getattr(client, operation)(**parameters)
        yield from page.get(key, [])
        more = next((name for name in TOKENS if page.get(name)), None)
        if more is None:
            return
        parameters[TOKENS[more]] = page[more]
