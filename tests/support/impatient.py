"""The command ``tidemill`` with a quick pulse: a lease is stale after 3 s, not after 60 s."""

from __future__ import annotations

import functools

import tidemill.execution.job
from tidemill.cli.main import main
from tidemill.storage.lease import acquire

if __name__ == "__main__":
    tidemill.execution.job.acquire = functools.partial(acquire, renew_seconds=0.5)
    main()
