"""What holds for every test: no network, no downloads, fixed seeds."""

from __future__ import annotations

import os

os.environ.update(
    HF_HUB_OFFLINE="1",
    TRANSFORMERS_OFFLINE="1",
    HF_HUB_DISABLE_TELEMETRY="1",
    ANONYMIZED_TELEMETRY="False",
    TOKENIZERS_PARALLELISM="false",
)

import random
import socket
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, settings

settings.register_profile(
    "default", deadline=None, derandomize=True, max_examples=50, suppress_health_check=[HealthCheck.too_slow]
)
settings.register_profile("slow", deadline=None, max_examples=1000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "default"))

# Processes that tests start find the integrations as this one does (pythonpath in pyproject.toml).
_PACKAGES = [str(Path(__file__).parents[1] / "integrations" / name) for name in ("langchain", "llamaindex")]
os.environ["PYTHONPATH"] = os.pathsep.join([*_PACKAGES, *filter(None, [os.environ.get("PYTHONPATH")])])

LOCAL = {"localhost", "127.0.0.1", "::1"}


@pytest.fixture(autouse=True, scope="session")
def no_network() -> Iterator[None]:
    """Connections leave this machine only by mistake, so they fail at once."""
    connect, connect_ex = socket.socket.connect, socket.socket.connect_ex

    def check(client: socket.socket, address: Any) -> None:
        if client.family in (socket.AF_INET, socket.AF_INET6) and address[0] not in LOCAL:
            raise OSError(f"tests have no network: refused {address!r}")

    def guarded(client: socket.socket, address: Any) -> None:
        check(client, address)
        connect(client, address)

    def guarded_ex(client: socket.socket, address: Any) -> int:
        check(client, address)
        return connect_ex(client, address)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket.socket, "connect", guarded)
        patch.setattr(socket.socket, "connect_ex", guarded_ex)
        yield


@pytest.fixture(autouse=True)
def fixed_seeds() -> None:
    """Library code takes its seed as an argument; this is for the libraries below it."""
    random.seed(0)
    np.random.seed(0)
    if "torch" in sys.modules:
        sys.modules["torch"].manual_seed(0)
