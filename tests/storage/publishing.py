"""Publish in tests."""

from __future__ import annotations

from tidemill.storage.publish import Published, publish


def go(layout, key, markers, schema, **options) -> Published:
    return publish(layout, key, markers, schema, run_id="r", digest="d", **options)
