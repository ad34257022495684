"""A LlamaIndex agent that remembers: two chats, one memory.

    python examples/llamaindex_agent.py

Runs offline. The LLM is LlamaIndex's mock, so the example prints what an LLM is shown; for a real one take
from llama_index.llms.anthropic import Anthropic, and Anthropic(model="...") for MockFunctionCallingLLM().
"""

import asyncio
import tempfile

from llama_index.core.agent.workflow import FunctionAgent
from llama_index.core.llms.mock import MockFunctionCallingLLM

from llama_index_hippo import HippoMemory


async def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        agent = FunctionAgent(tools=[], llm=MockFunctionCallingLLM())

        monday = HippoMemory.from_defaults(folder, session="monday")
        await agent.run("My parrot is called Quibble.", memory=monday)

        tuesday = HippoMemory.from_defaults(folder, session="tuesday")
        await agent.run("What is my parrot called?", memory=tuesday)
        print("shown to the LLM on Tuesday:")
        for message in await tuesday.aget():
            print(f"  {message.role.value}: {message.content}")

        for chat in (monday, tuesday):
            print(f"{chat.session}: {[message.role.value for message in chat.get_all()]}")
        print("serialised:", sorted(tuesday.to_dict()))


if __name__ == "__main__":
    asyncio.run(main())
