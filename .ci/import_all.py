"""Import every module of the source tree from where it is installed: import_all.py SOURCE_ROOT ENVIRONMENT [EXTRA ...]

An integration whose extra is not named has to say how it is installed.
"""

import importlib
import sys
from pathlib import Path

INTEGRATIONS = {
    "langchain": Path("integrations/langchain/langchain_hippo"),
    "llamaindex": Path("integrations/llamaindex/llama_index_hippo"),
}
NEEDS = {"hippo_agent.testing.long_term_store": "langchain"}

root, environment = (Path(argument).resolve() for argument in sys.argv[1:3])
extras = set(sys.argv[3:])
count = 0
for source in [root / "hippo_agent", *(root / INTEGRATIONS[extra] for extra in sorted(extras))]:
    for path in sorted(source.rglob("*.py")):
        parts = path.relative_to(source.parent).with_suffix("").parts
        name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        if parts[-1] == "__main__" or NEEDS.get(name) not in {None, *extras}:
            continue
        module = importlib.import_module(name)
        origin = Path(str(module.__file__)).resolve()
        if environment not in origin.parents:
            sys.exit(f"{name} was imported from {str(origin)!r}, not from the wheel")
        count += 1
for extra in sorted(INTEGRATIONS.keys() - extras):
    name = INTEGRATIONS[extra].name
    try:
        importlib.import_module(name)
    except ImportError as error:
        if f'pip install "hippo-agent[{extra}]"' not in str(error):
            sys.exit(f"{name} without its extra says only {str(error)!r}")
    else:
        sys.exit(f"{name} could be imported without the extra {extra!r}")
print(f"{count} modules imported from {str(environment)!r} with {', '.join(sorted(extras)) or 'no extra'}")
