"""A NumPy array that grows at its end."""

from __future__ import annotations

from typing import Any, Generic, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["Growing"]

Scalar = TypeVar("Scalar", bound=np.generic)


class Growing(Generic[Scalar]):
    """Rows of one shape; appending costs amortised constant time. ``view`` is valid until the next append."""

    def __init__(self, dtype: type[Scalar], *shape: int) -> None:
        self._held: NDArray[Scalar] = np.zeros((64, *shape), dtype=dtype)
        self._count = 0

    def __len__(self) -> int:
        return self._count

    @property
    def view(self) -> NDArray[Scalar]:
        """[n, ...]"""
        return self._held[: self._count]

    def extend(self, rows: ArrayLike) -> None:
        """Append rows: [m, ...]."""
        new: NDArray[Any] = np.asarray(rows, dtype=self._held.dtype)
        if not len(new):
            return
        needed = self._count + len(new)
        if needed > len(self._held):
            grown = np.zeros((max(needed, 2 * len(self._held)), *self._held.shape[1:]), dtype=self._held.dtype)
            grown[: self._count] = self.view
            self._held = grown
        self._held[self._count : needed] = new
        self._count = needed
