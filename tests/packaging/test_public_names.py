"""What `import hippo_agent` promises to the outside."""

from __future__ import annotations

import importlib
import pkgutil
import re

import pytest

import hippo_agent

MODULES = sorted(module.name for module in pkgutil.walk_packages(hippo_agent.__path__, "hippo_agent."))


@pytest.mark.parametrize("name", ["hippo_agent", *MODULES])
def test_every_module_imports_and_its_all_is_sorted_and_real(name: str) -> None:
    module = importlib.import_module(name)
    names = list(getattr(module, "__all__", []))
    assert names == sorted(names, key=order)
    assert len(set(names)) == len(names)
    assert [entry for entry in names if not hasattr(module, entry)] == []


def test_what_the_package_exposes_of_its_own_is_listed() -> None:
    exposed = {
        name
        for name, value in vars(hippo_agent).items()
        if not name.startswith("_") and str(getattr(value, "__module__", "")).startswith("hippo_agent")
    }
    assert exposed <= set(hippo_agent.__all__)


def test_version_is_a_release_number() -> None:
    assert re.fullmatch(r"\d+\.\d+\.\d+((a|b|rc)\d+)?", hippo_agent.__version__)


def order(name: str) -> tuple[int, str]:
    """ruff's order of ``__all__``: constants, then classes, then functions."""
    return (0 if name.isupper() else 1 if name[0].isupper() else 2, name)
