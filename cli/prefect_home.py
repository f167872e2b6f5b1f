"""Prefect's surroundings for a command; must be set before Prefect is imported."""

import os
from pathlib import Path


def prepare_prefect(home: Path) -> None:
    """Keep Prefect's files in our home and its talk short, unless the environment says otherwise."""
    for name, value in {
        "PREFECT_HOME": str((home / "prefect").absolute()),
        "PREFECT_LOGGING_LEVEL": "CRITICAL",  # an error is raised to us as well, and shown once
        "PREFECT_SERVER_LOGGING_LEVEL": "ERROR",
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "120",  # it takes about 20 s here
        "DO_NOT_TRACK": "1",
    }.items():
        os.environ.setdefault(name, value)
