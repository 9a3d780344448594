"""A process of its own for whatever is measured without the rest of the house."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
from collections.abc import Callable, Iterator, Mapping
from multiprocessing.connection import Connection
from types import TracebackType
from typing import Any, ParamSpec, Self, TypeVar

from loguru import logger

from edgebot.errors import EngineError

P = ParamSpec("P")
T = TypeVar("T")


class Apart:
    """Runs functions in a fresh process, one after the other, for one `with` block.

    What they load stays loaded until the end of the block; nothing is left behind.
    """

    def __init__(self, environment: Mapping[str, str] | None = None) -> None:
        """Start it.

        Args:
            environment: Variables that differ there: some libraries read them only once.
        """
        context = multiprocessing.get_context("spawn")
        self._pipe, other = context.Pipe()
        self._process = context.Process(target=_serve, args=(other,), daemon=True)
        with _variables(environment or {}):
            self._process.start()
        other.close()

    def run(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run a function of a module there and return its result, or raise its error.

        Raises:
            EngineError: The process has ended.
        """
        try:
            self._pipe.send((function, args, kwargs))
            done, result = self._pipe.recv()
        except (EOFError, OSError):
            raise EngineError(
                "The process that measured the engines alone has ended: is there enough memory?"
            ) from None
        if not done:
            raise result
        return result  # type: ignore[no-any-return]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._process.kill()
        self._process.join()
        self._process.close()
        self._pipe.close()


@contextlib.contextmanager
def _variables(changed: Mapping[str, str]) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in changed}
    os.environ.update(changed)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def _serve(pipe: Connection) -> None:
    logger.remove()
    # Ctrl-C reaches every process of a terminal: the one that asks decides.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with contextlib.suppress(EOFError, OSError):
        while True:
            function, args, kwargs = pipe.recv()
            answer: tuple[bool, Any]
            try:
                answer = True, function(*args, **kwargs)
            except Exception as error:
                answer = False, error
            pipe.send(answer)
