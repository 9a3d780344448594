"""The cloud's files: documented keys, files that are there, no secret."""

from __future__ import annotations

import re
import shlex
import sys
import tomllib
from collections.abc import Callable
from importlib import resources
from pathlib import Path
from typing import Any

import pytest

from edgebot import bot
from edgebot.config import known_keys

ROOT = Path(__file__).parents[2]
Right = Callable[[Any], bool]


def text(pattern: str = r"\S.*") -> Right:
    return lambda value: isinstance(value, str) and re.fullmatch(pattern, value) is not None


def number(least: int, most: int = sys.maxsize) -> Right:
    return lambda value: type(value) is int and least <= value <= most


QUANTITY = r"[0-9]+(\.[0-9]+)?(m|k|M|G|T|P|E|Ki|Mi|Gi|Ti|Pi|Ei)?"
# What Pipecat Cloud's documentation and its command line say of `pcc-deploy.toml`.
DOCUMENTED: dict[str, Right] = {
    "agent_name": text(r"[a-z0-9][a-z0-9-]*"),
    "image": text(r"\S+:\S+"),
    "build_id": text(),
    "image_credentials": text(),
    "secret_set": text(r"[A-Za-z0-9_-]+"),
    "region": text(),
    "agent_profile": text("agent-[123]x"),
    "architecture": text("amd64|arm64"),
    "websocket_auth": text(),
    "max_session_duration": number(60, 14_400),
    "scaling.min_agents": number(0),
    "scaling.max_agents": number(1),
    "krisp_viva.audio_filter": text("tel|pro"),
    "resources.cpu": text(QUANTITY),
    "resources.memory": text(QUANTITY),
    "build.context_dir": text(),
    "build.dockerfile": text(),
    "build.exclude.patterns": lambda value: isinstance(value, list) and all(map(text(), value)),
    "git.repo": text(r"[\w.-]+/[\w.-]+"),
    "git.branch": text(),
    "git.dockerfile_path": text(),
    "git.subdirectory": text(),
    "docker.auto_build": lambda value: type(value) is bool,
}
# Of each pair only one may be there.
EITHER = (
    ("image", "build_id"),
    ("image", "git.repo"),
    ("build_id", "git.repo"),
    ("agent_profile", "resources.cpu"),
)
TOGETHER = (("resources.cpu", "resources.memory"), ("git.repo", "git.branch"))
INSTRUCTIONS = {"FROM", "RUN", "COPY", "ENV", "WORKDIR", "ARG", "LABEL", "USER"}


def flat(tree: dict[str, Any], before: str = "") -> dict[str, Any]:
    """Return a tree of tables by its full keys."""
    found: dict[str, Any] = {}
    for key, value in tree.items():
        if isinstance(value, dict):
            found |= flat(value, f"{before}{key}.")
        else:
            found[before + key] = value
    return found


def deploy() -> dict[str, Any]:
    return flat(tomllib.loads((ROOT / "pcc-deploy.toml").read_text()))


def complaints(found: dict[str, Any]) -> list[str]:
    """Return what Pipecat Cloud would not take."""
    wrong = [key for key in found if key not in DOCUMENTED or not DOCUMENTED[key](found[key])]
    wrong += [f"{one} and {other}" for one, other in EITHER if {one, other} <= set(found)]
    wrong += [f"{one} or {other}" for one, other in TOGETHER if (one in found) != (other in found)]
    wrong += [key for key in ("agent_name",) if key not in found]
    least, most = found.get("scaling.min_agents", 0), found.get("scaling.max_agents", sys.maxsize)
    return wrong + (["scaling"] if least > most else [])


def instructions() -> list[list[str]]:
    text = re.sub(r"^#.*\n", "", (ROOT / "Dockerfile").read_text(), flags=re.MULTILINE)
    return [shlex.split(line) for line in text.replace("\\\n", " ").splitlines() if line.strip()]


def test_what_is_deployed_is_right() -> None:
    assert complaints(deploy()) == []


@pytest.mark.parametrize("key", deploy())
def test_each_key_is_described(key: str) -> None:
    assert f"`{key}`" in (ROOT / "docs" / "cloud.md").read_text()


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ('agent_name = "edge bot"', ["agent_name"]),
        ('agent_profile = "agent-9x"', ["agent_profile"]),
        ("enable_krisp = true", ["enable_krisp"]),
        ("max_session_duration = 30", ["max_session_duration"]),
        ('image = "nobody/edgebot"', ["image"]),
        ('image = "nobody/edgebot:1"\nbuild_id = "7"', ["image and build_id"]),
        ("[scaling]\nmin_agents = -1", ["scaling.min_agents"]),
        ("[scaling]\nmin_agents = true", ["scaling.min_agents"]),
        ("[scaling]\nmin_agents = 3\nmax_agents = 2", ["scaling"]),
        ("[scaling]\nmost_agents = 2", ["scaling.most_agents"]),
        ('[resources]\ncpu = "2"', ["resources.cpu or resources.memory"]),
        ('[krisp_viva]\naudio_filter = "loud"', ["krisp_viva.audio_filter"]),
        ("[build.exclude]\npatterns = [7]", ["build.exclude.patterns"]),
    ],
)
def test_what_would_not_be_taken_is_found(line: str, complaint: list[str]) -> None:
    assert complaints({"agent_name": "edgebot", **flat(tomllib.loads(line))}) == complaint


def test_what_pipecats_own_template_sets_is_set() -> None:
    template = resources.files("pipecat.cli").joinpath("templates/server/pcc-deploy.toml.jinja2")
    keys = re.findall(r"^\s*(\w+) =", template.read_text(), re.MULTILINE)
    wanted = set(keys) - {"audio_filter"}
    assert wanted <= {key.rpartition(".")[2] for key in deploy()}


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


def test_secrets_stay_out_of_the_image() -> None:
    assert ".env" in (ROOT / ".dockerignore").read_text().splitlines()
    assert "/.env" in (ROOT / ".gitignore").read_text().splitlines()


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
