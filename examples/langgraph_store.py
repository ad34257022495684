"""LangGraph's long-term store in a memory folder: put, search by meaning, filter, expire, and use it in a graph.

    python examples/langgraph_store.py

Runs offline, without a chat model.
"""

import tempfile
from dataclasses import dataclass
from typing import TypedDict

from langgraph.graph import START, StateGraph
from langgraph.runtime import Runtime

from langchain_hippo import HippoStore, encode_label


@dataclass
class User:
    user_id: str


class State(TypedDict):
    question: str
    notes: list[str]


def look_up(state: State, runtime: Runtime[User]) -> dict[str, list[str]]:
    found = runtime.store.search((encode_label(runtime.context.user_id),), query=state["question"], limit=1)
    return {"notes": [item.value["text"] for item in found]}


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        store = HippoStore(folder)
        for user, key, text, level in (
            ("ada@example.org", "food", "Ada eats figs for breakfast.", 3),
            ("ada@example.org", "pets", "Ada has a parrot that is afraid of umbrellas.", 1),
            ("bo@example.org", "food", "Bo eats kippers for breakfast.", 2),
        ):
            store.put((encode_label(user),), key, {"text": text, "level": level})
        store.put(("visits",), "today", {"text": "Ada called."}, ttl=60)  # gone in an hour

        graph = StateGraph(State, context_schema=User)
        graph.add_node("look_up", look_up)
        graph.add_edge(START, "look_up")
        app = graph.compile(store=store)
        for user, question in (
            ("ada@example.org", "What does she eat in the morning?"),
            ("ada@example.org", "Which animal lives with her?"),
            ("bo@example.org", "What does he eat in the morning?"),
        ):
            print(f"{user} | {question} | {app.invoke({'question': question}, context=User(user))['notes'][0]}")
        print("level 2 and up:", sorted(item.key for item in store.search((), filter={"level": {"$gte": 2}})))
        print("namespaces:", store.list_namespaces())


if __name__ == "__main__":
    main()
