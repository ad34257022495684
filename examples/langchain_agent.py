"""A LangChain agent that remembers across processes: the second process never saw what the first was told.

    python examples/langchain_agent.py

Runs offline. The chat model is a scripted one that repeats what its memory shows it; for a real one write
create_agent("anthropic:claude-sonnet-4-5", ...) with the package and key of its provider, and change nothing else.
"""

import re
import subprocess
import sys
import tempfile

from langchain.agents import create_agent
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage
from langchain_core.outputs import ChatGeneration, ChatResult

from langchain_hippo import HippoMemory


class Parrot(BaseChatModel):
    """Says the best trace that stands in its system message, or that there is none."""

    @property
    def _llm_type(self) -> str:
        return "parrot"

    def _generate(self, messages, stop=None, run_manager=None, **kwargs):
        system = messages[0].text if messages[0].type == "system" else ""
        best = re.search(r'^\[1\].*?"(.*)"$', system, flags=re.MULTILINE)
        said = f"You once said: {best[1]}" if best else "Nobody told me."
        return ChatResult(generations=[ChatGeneration(message=AIMessage(said))])


def talk(folder: str, *said: str) -> None:
    agent = create_agent(Parrot(), middleware=[HippoMemory(folder)])
    for text in said:
        answer = agent.invoke({"messages": [("user", text)]})
        print(f"user:  {text}\nagent: {answer['messages'][-1].text}", flush=True)


def main() -> None:
    if len(sys.argv) > 1:  # the later process
        talk(*sys.argv[1:])
        return
    with tempfile.TemporaryDirectory() as folder:
        talk(folder, "My parrot is called Quibble.", "The spare key is with the florist on the corner.")
        print("another process:", flush=True)
        later = [folder, "Who has the spare key?", "What did I call my parrot?"]
        subprocess.run([sys.executable, __file__, *later], check=True)


if __name__ == "__main__":
    main()
