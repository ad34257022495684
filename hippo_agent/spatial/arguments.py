"""What callers hand to a map, checked before anything is changed. Each raises InvalidInput."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from hippo_agent.errors import InvalidInput, InvalidVector
from hippo_agent.intake import clean_label
from hippo_agent.spatial.place import GLOBE, Coordinate

__all__ = ["coordinate", "listed", "unit"]


def listed(values: Iterable[str], what: str) -> Iterable[str]:
    """Several texts; one text alone is a mistake that would be read letter by letter."""
    if isinstance(values, (str, bytes)):
        raise InvalidInput(f"{what} must be a list of texts, not the text {values!r}; put it in brackets")
    return values


def coordinate(value: Sequence[float] | Coordinate | None, frame: str) -> Coordinate | None:
    """A position in its frame; on the globe latitude comes first."""
    if value is None:
        return None
    parts, frame = (value.at, value.frame) if isinstance(value, Coordinate) else (value, frame)
    try:
        at = () if isinstance(parts, (str, bytes)) else tuple(float(part) for part in parts)
    except (TypeError, ValueError) as error:
        raise InvalidInput(f"coordinate {value!r} must be numbers") from error
    if not at or not all(map(math.isfinite, at)):
        raise InvalidInput(f"coordinate {value!r} must be finite numbers; leave it out when it is not known")
    if frame == GLOBE and not (len(at) in (2, 3) and abs(at[0]) <= 90 and abs(at[1]) <= 180):
        swapped = len(at) in (2, 3) and abs(at[1]) <= 90 and abs(at[0]) <= 180
        hint = "they look swapped" if swapped else "correct it, or name another frame"
        raise InvalidInput(f"coordinate {value!r} is not (latitude, longitude) in degrees; {hint}")
    return Coordinate(frame=clean_label(frame, what="frame") or "map", at=at)


def unit(vector: np.ndarray | None) -> NDArray[np.float32] | None:
    """float32 [d] of norm 1."""
    if vector is None:
        return None
    try:
        found = np.asarray(vector, dtype=np.float32)
    except (TypeError, ValueError) as error:
        raise InvalidVector(f"vector {vector!r} must be numbers") from error
    norm = float(np.linalg.norm(found)) if found.ndim == 1 and found.size else math.nan
    if not math.isfinite(norm) or norm == 0.0:
        raise InvalidVector("a vector must be one row of finite numbers, not all zero; leave it out when there is none")
    return found / np.float32(norm)
