"""Repeats the question; breaks at "break", and has nothing to say to "silence"."""

from collections.abc import Callable, Iterator, Sequence

from edgebot.config import Settings
from edgebot.engines.llama import Message, Tool
from edgebot.engines.sampler import Sampling
from edgebot.engines.thread import EngineThread
from edgebot.models.installed import InstalledModel
from edgebot.stages.llm_llama_cpp import LlamaCppLLMService

NEEDS_MODEL = False


class Mind:
    """A generator without a model."""

    context_tokens = 2048
    template_text = "tools"

    def __init__(self) -> None:
        self._question = ""
        self.warmed = 0

    def render(
        self, messages: Sequence[Message], tools: Sequence[Tool] = (), *, reply: bool = True
    ) -> list[int]:
        self._question = str(messages[-1]["content"])
        return [0] * len(messages)

    def warm(self, tokens: Sequence[int]) -> None:
        self.warmed += 1

    def generate(
        self,
        tokens: Sequence[int],
        sampling: Sampling,
        *,
        grammar: str | None = None,
        repeats: str = "",
    ) -> Iterator[str]:
        if self._question == "break":
            raise RuntimeError("no memory")
        if self._question != "silence":
            yield "You said\n"
            yield f"{self._question}."

    def abort(self) -> None:
        """It is never slow."""


async def load(
    settings: Settings, model: InstalledModel | None
) -> Callable[[], LlamaCppLLMService]:
    assert model is None
    thread = EngineThread("own mind")
    return lambda: LlamaCppLLMService(engine=Mind(), thread=thread)
