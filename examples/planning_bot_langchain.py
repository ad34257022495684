"""A LangChain agent with a map: it walks through a house, remembers what happened where, and plans its way by tools.

    python examples/planning_bot_langchain.py

Runs offline. The chat model follows a script, so the walk is the same each time; for a real one write
create_agent("anthropic:claude-sonnet-4-5", ...) and drop the script: it calls the same tools by itself.
"""

import tempfile

from langchain.agents import create_agent
from langchain_core.language_models import GenericFakeChatModel
from langchain_core.messages import AIMessage, ToolCall

from hippo_agent import Memory
from langchain_hippo import HippoMemory

ROOMS = {
    "kitchen": "Kitchen\nCopper pans hang in rows above an iron stove. The hall is north.",
    "hall": "Hall\nPortraits stare down from the walls of this long room. Doors lead north, south and east.",
    "library": "Library\nShelves rise to the roof of this round room. A door leads south.",
    "cellar": "Cellar\nBarrels stand in the damp dark. Stairs lead west.",
}


class Scripted(GenericFakeChatModel):
    def bind_tools(self, tools, **kwargs):
        return self


def step(number: int, name: str, **arguments: object) -> AIMessage:
    return AIMessage("", tool_calls=[ToolCall(name=name, args=arguments, id=f"call-{number}")])


SCRIPT = [
    ("observe", {"text": ROOMS["kitchen"]}),
    ("observe", {"text": ROOMS["hall"], "action": "north"}),
    ("observe", {"text": ROOMS["cellar"], "action": "east"}),
    ("remember", {"text": "The cellar is flooded when it rains; boots are needed."}),
    ("observe", {"text": ROOMS["hall"], "action": "west"}),
    ("observe", {"text": ROOMS["library"], "action": "north"}),
    ("observe", {"text": ROOMS["hall"], "action": "south"}),
    ("observe", {"text": ROOMS["kitchen"], "action": "south"}),
    ("plan_route", {"goal": "cellar"}),
    ("next_step", {}),
    ("observe", {"text": ROOMS["hall"], "action": "north"}),
    ("report_step", {}),
    ("next_step", {}),
    ("observe", {"text": ROOMS["cellar"], "action": "east"}),
    ("report_step", {}),
    ("recall_here", {"query": "what is needed here?"}),
]


def main() -> None:
    script = [step(number, name, **arguments) for number, (name, arguments) in enumerate(SCRIPT)]
    model = Scripted(messages=iter([*script, AIMessage("I am in the cellar and wear boots.")]))
    with tempfile.TemporaryDirectory() as folder, Memory(folder, namespace="house") as memory:
        hippo = HippoMemory(memory, namespace="house", stores=("episodic", "places"), tools=True)
        agent = create_agent(model, middleware=[hippo])
        done = agent.invoke({"messages": [("user", "Look around, then go to the cellar.")]}, {"recursion_limit": 100})
        for message in done["messages"]:
            if message.type == "ai":
                for call in message.tool_calls:
                    said = ", ".join(str(value).splitlines()[0] for value in call["args"].values())
                    print(f"> {call['name']}({said})")
            if message.type in ("tool", "ai") and message.text:
                print(f"  {message.text}")
        print("still to do:", memory.places.ahead)


if __name__ == "__main__":
    main()
