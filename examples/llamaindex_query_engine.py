"""A LlamaIndex query engine over a memory: documents go in, questions that need two of them come back answered.

    python examples/llamaindex_query_engine.py

Runs offline. The reader is a scripted one that lists what it was given; for a real one write
from llama_index.llms.openai import OpenAI, take OpenAI(model="...") for Reader(), and change nothing else.
"""

import tempfile
from typing import Any

from llama_index.core import Document
from llama_index.core.llms import CompletionResponse, CustomLLM, LLMMetadata
from llama_index.core.llms.callbacks import llm_completion_callback
from llama_index.core.query_engine import RetrieverQueryEngine

from llama_index_hippo import HippoRetriever, remember_documents

DOCUMENTS = {
    "harbour": "The harbour master of Vlissen is Odo Vance. He lives on the barge Juno.",
    "barge": "The barge Juno was built in Ghent by the Maes yard. It carries no cargo.",
    "yard": "The Maes yard was founded by Lena Maes after the flood.",
    "market": "The market of Vlissen sells eels on Fridays.",
    "lamp": "The lamp of the lighthouse was replaced after the storm.",
}


class Reader(CustomLLM):
    """Says what it was given to read, line by line."""

    @property
    def metadata(self) -> LLMMetadata:
        return LLMMetadata(model_name="reader")

    @llm_completion_callback()
    def complete(self, prompt: str, formatted: bool = False, **kwargs: Any) -> CompletionResponse:
        given = [line for line in prompt.splitlines() if line in DOCUMENTS.values()]
        return CompletionResponse(text=" ".join(given))

    @llm_completion_callback()
    def stream_complete(self, prompt: str, formatted: bool = False, **kwargs: Any) -> Any:
        yield self.complete(prompt)


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        documents = [Document(doc_id=name, text=text) for name, text in DOCUMENTS.items()]
        print("episodes written:", remember_documents(documents, folder, progress=False))
        print("written again:", remember_documents(documents, folder, progress=False))
        engine = RetrieverQueryEngine.from_args(HippoRetriever(folder, k=3), llm=Reader())
        for question, needed in (
            ("Where was the barge of the harbour master built?", {"harbour", "barge"}),
            ("Who founded the yard that built the barge Juno?", {"barge", "yard"}),
        ):
            answer = engine.query(question)
            found = [node.node.metadata["session"] for node in answer.source_nodes]
            print(f"{question}\n  read: {', '.join(found)}\n  all that is needed: {needed <= set(found)}\n  {answer}")


if __name__ == "__main__":
    main()
