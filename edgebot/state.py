"""What the assistant is doing, as a person would say it."""

from enum import StrEnum


class AssistantState(StrEnum):
    """One of these at any time."""

    STARTING = "starting"
    LISTENING = "listening"
    HEARING = "hearing"
    THINKING = "thinking"
    SPEAKING = "speaking"
