"""The header of a weights file is looked at before anything of it is loaded."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from hippo_agent.errors import ModelUnavailable
from hippo_agent.weights import check_header


def written(path: Path, header: object, data: bytes = b"", length: int | None = None) -> Path:
    raw = header if isinstance(header, bytes) else json.dumps(header).encode()
    path.write_bytes((len(raw) if length is None else length).to_bytes(8, "little") + raw + data)
    return path


def test_names_and_shapes_of_a_whole_file(tmp_path: Path) -> None:
    save_file({"a.lora_A": np.zeros((2, 3), np.float32), "b": np.ones(4, np.float16)}, tmp_path / "x.safetensors")
    assert check_header(tmp_path / "x.safetensors") == {"a.lora_A": (2, 3), "b": (4,)}
    with pytest.raises(ModelUnavailable, match="'b', which no adapter has"):
        check_header(tmp_path / "x.safetensors", re.compile(r".*lora_A"))


@pytest.mark.parametrize(
    "name", ["huge", "cut", "not json", "deep", "odd", "overlap", "gap", "short", "empty", "pickle"]
)
def test_what_is_no_whole_file_is_refused(tmp_path: Path, name: str) -> None:
    path = tmp_path / "x.safetensors"
    one = {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}
    if name == "huge":
        written(path, b"{}", length=100_000_000)
    elif name == "cut":
        written(path, {"a": one}, b"1234").write_bytes(path.read_bytes()[:20])
    elif name == "not json":
        written(path, b"{a: 1}")
    elif name == "deep":
        written(path, b"[" * 100_000)
    elif name == "odd":
        written(path, {"a": {"shape": "x"}})
    elif name == "overlap":
        written(path, {"a": one, "b": one}, b"1234")
    elif name == "gap":
        written(path, {"a": {**one, "data_offsets": [4, 8]}}, b"12345678")
    elif name == "short":
        written(path, {"a": one}, b"12")
    elif name == "empty":
        path.write_bytes(b"")
    else:
        path.write_bytes(b"\x80\x04\x95cos\nsystem\n(S'true'\ntR.")
    with pytest.raises(ModelUnavailable, match=re.escape(str(path))):
        check_header(path)
