"""Import every module of the source tree from where it is installed: import_all.py SOURCE_ROOT ENVIRONMENT"""

import importlib
import sys
from pathlib import Path

PACKAGES = ["hippo_agent", "integrations/langchain/langchain_hippo", "integrations/llamaindex/llama_index_hippo"]

root, environment = (Path(argument).resolve() for argument in sys.argv[1:])
count = 0
for package in PACKAGES:
    source = root / package
    for path in sorted(source.rglob("*.py")):
        parts = path.relative_to(source.parent).with_suffix("").parts
        name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        if parts[-1] == "__main__":
            continue
        module = importlib.import_module(name)
        origin = Path(str(module.__file__)).resolve()
        if environment not in origin.parents:
            sys.exit(f"{name} was imported from {str(origin)!r}, not from the wheel")
        count += 1
print(f"{count} modules imported from {str(environment)!r}")
