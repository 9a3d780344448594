"""The cloud's files: documented keys, files that are there, no secret."""

from __future__ import annotations

import re
import shlex
import tomllib
from importlib import resources
from pathlib import Path
from typing import Any

import pytest

from edgebot import bot
from edgebot.config import known_keys

ROOT = Path(__file__).parents[2]
# What Pipecat Cloud's documentation says of `pcc-deploy.toml`.
DOCUMENTED: dict[str, type | tuple[str, ...]] = {
    "agent_name": str,
    "image": str,
    "image_credentials": str,
    "secret_set": str,
    "region": str,
    "agent_profile": ("agent-1x", "agent-2x", "agent-3x"),
    "scaling.min_agents": int,
    "scaling.max_agents": int,
    "krisp_viva.audio_filter": ("tel", "pro"),
}
INSTRUCTIONS = {"FROM", "RUN", "COPY", "ENV", "WORKDIR", "ARG", "LABEL", "USER"}


def deploy() -> dict[str, Any]:
    tree = tomllib.loads((ROOT / "pcc-deploy.toml").read_text())
    flat: dict[str, Any] = {}
    for key, value in tree.items():
        if isinstance(value, dict):
            flat |= {f"{key}.{inner}": found for inner, found in value.items()}
        else:
            flat[key] = value
    return flat


def instructions() -> list[list[str]]:
    text = re.sub(r"^#.*\n", "", (ROOT / "Dockerfile").read_text(), flags=re.MULTILINE)
    return [shlex.split(line) for line in text.replace("\\\n", " ").splitlines() if line.strip()]


@pytest.mark.parametrize("key", deploy())
def test_each_key_is_documented(key: str) -> None:
    kind, value = DOCUMENTED[key], deploy()[key]
    assert value in kind if isinstance(kind, tuple) else type(value) is kind
    assert f"`{key}`" in (ROOT / "docs" / "cloud.md").read_text()


def test_what_pipecats_own_template_sets_is_set() -> None:
    template = resources.files("pipecat.cli").joinpath("templates/server/pcc-deploy.toml.jinja2")
    keys = re.findall(r"^\s*(\w+) =", template.read_text(), re.MULTILINE)
    wanted = set(keys) - {"audio_filter"}
    assert wanted <= {key.rpartition(".")[2] for key in deploy()}


def test_the_name_has_no_space_and_the_numbers_are_in_order() -> None:
    found = deploy()
    assert re.fullmatch(r"[a-z0-9-]+", found["agent_name"])
    assert 0 <= found["scaling.min_agents"] <= found["scaling.max_agents"]


def test_the_image_is_built_on_pipecats() -> None:
    words = [line[0] for line in instructions()]
    assert words[0] == "FROM"
    assert instructions()[0][1].startswith("dailyco/pipecat-base:")
    assert set(words) <= INSTRUCTIONS


def test_what_is_copied_is_there() -> None:
    copied = [source for line in instructions() if line[0] == "COPY" for source in line[1:-1]]
    assert {"pyproject.toml", "constraints.txt", "edgebot"} <= set(copied)
    for source in copied:
        assert (ROOT / source).exists(), source


def test_what_is_set_in_the_image_is_a_setting() -> None:
    names = [line[1].partition("=")[0] for line in instructions() if line[0] == "ENV"]
    for name in names:
        key = name.removeprefix("EDGEBOT_").lower().replace("__", ".")
        assert key in known_keys(), name


def test_the_bot_is_what_the_base_image_calls() -> None:
    (line,) = [line for line in instructions() if line[-1] == "/app/bot.py"]
    assert "from edgebot.bot import bot\\n" in line
    assert callable(bot.bot)


@pytest.mark.parametrize("name", ["Dockerfile", "pcc-deploy.toml", ".env.example"])
def test_no_secret_is_in_them(name: str) -> None:
    for line in (ROOT / name).read_text().splitlines():
        key, equals, value = line.partition("=")
        if equals and re.search(r"(KEY|TOKEN|SECRET)\s*$", key):
            assert value.strip() == "", line


def test_the_example_of_secrets_names_what_is_read() -> None:
    names = re.findall(r"^([A-Z_]+)=", (ROOT / ".env.example").read_text(), re.MULTILINE)
    for name in names:
        if name.startswith("EDGEBOT_"):
            assert name.removeprefix("EDGEBOT_").lower().replace("__", ".") in known_keys()
        else:
            assert name in {"DAILY_API_KEY", "DAILY_ROOM_URL"}
