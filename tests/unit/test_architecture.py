"""The house keeps its order: imports go down, engines know no Pipecat, only the cli prints."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import edgebot

ROOT = Path(edgebot.__file__).parent

# A room may import from those further down in the list, never from those above or beside it.
FLOORS: list[set[str]] = [
    {"__main__"},
    {"cli"},
    {"bench"},
    {"talking", "asking", "chatting", "speaking", "listening", "doctor", "bot", "bridge"},
    {"calls"},
    {"call", "intercom"},
    {"front"},
    {"app"},
    {"pipeline", "control"},
    {"stages", "observe"},
    {"frames"},
    {"models", "hw", "engines", "service"},
    {"errors", "state", "config", "chimes", "machine"},
]
FLOOR_OF = {room: floor for floor, rooms in enumerate(FLOORS) for room in rooms}
# What a person need not wait for to read the help.
HEAVY = ("pipecat", "llama_cpp", "vosk", "piper", "onnxruntime", "moonshine_voice", "pyaudio")


def modules() -> list[Path]:
    return sorted(ROOT.rglob("*.py"))


def room_of(path: Path) -> str:
    """Return the folder or the module right below `edgebot`."""
    return path.relative_to(ROOT).parts[0].removesuffix(".py")


def imports_of(path: Path) -> Iterator[str]:
    """Yield the full name of every module that a file imports, wherever in the file."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} has a relative import"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def rooms_used(path: Path) -> set[str]:
    names = [name.split(".") for name in imports_of(path)]
    rooms = {parts[1] for parts in names if parts[0] == "edgebot" and len(parts) > 1}
    return {room for room in rooms if room in FLOOR_OF}


def test_every_room_has_its_floor() -> None:
    assert {room_of(path) for path in modules()} == {*FLOOR_OF, "__init__"}


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_go_down(path: Path) -> None:
    room = room_of(path)
    if room == "__init__":
        assert rooms_used(path) == set()
        return
    wrong = {used for used in rooms_used(path) if used != room and FLOOR_OF[used] < FLOOR_OF[room]}
    assert wrong == set()


def test_rooms_of_a_floor_do_not_know_each_other() -> None:
    # The machine's errors and settings may; asking and speaking are joined by the cli.
    for floor in FLOORS[:-1]:
        for path in modules():
            room = room_of(path)
            if room in floor:
                assert not (rooms_used(path) & floor) - {room}, path


def test_hw_and_stages_never_import_each_other() -> None:
    for path in modules():
        if room_of(path) == "hw":
            assert "stages" not in rooms_used(path), path
        if room_of(path) == "stages":
            assert "hw" not in rooms_used(path), path


@pytest.mark.parametrize(
    "room", ["engines", "models", "hw", "service", "errors", "config", "state"]
)
def test_what_lies_low_knows_no_pipecat(room: str) -> None:
    for path in modules():
        if room_of(path) == room:
            used = {name.split(".")[0] for name in imports_of(path)}
            assert "pipecat" not in used, path


def calls_of(path: Path) -> set[str]:
    """Return the plain names that a module calls."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    called = {node.func for node in ast.walk(tree) if isinstance(node, ast.Call)}
    return {node.id for node in called if isinstance(node, ast.Name)}


def users_of(name: str) -> set[str]:
    """Return the modules that call a name."""
    return {str(path.relative_to(ROOT)) for path in modules() if name in calls_of(path)}


def test_there_is_one_pipeline_for_device_file_browser_and_daily() -> None:
    assert users_of("build_pipeline") == {"app.py"}
    assert users_of("Conversation") >= {"talking.py", "asking.py", "call.py"}
    assert users_of("Call") == {"bot.py"}
    assert "Call.create(" in (ROOT / "calls.py").read_text(encoding="utf-8")


def test_only_the_cli_prints() -> None:
    for path in modules():
        if room_of(path) == "cli":
            continue
        tree = ast.parse(path.read_text(encoding="utf-8"))
        called = {node.func for node in ast.walk(tree) if isinstance(node, ast.Call)}
        names = {node.id for node in called if isinstance(node, ast.Name)}
        assert not names & {"print", "Console", "input"}, path
        used = {name.split(".")[0] for name in imports_of(path)}
        assert not used & {"rich", "typer", "click"}, path


def test_only_models_the_bridge_and_the_server_use_the_network() -> None:
    network = {"requests", "httpx", "urllib3", "aiohttp", "http", "socket", "openai", "ssl"}
    for path in modules():
        used = {name.split(".")[0] for name in imports_of(path)} & network
        used |= {"urllib.request"} & {name.rpartition(".")[0] for name in imports_of(path)}
        if used and room_of(path) not in ("models", "bridge"):
            assert path == ROOT / "stages" / "llm_openai.py", path


def test_every_module_begins_with_a_sentence() -> None:
    for path in modules():
        text = path.read_text(encoding="utf-8")
        if text:
            assert ast.get_docstring(ast.parse(text)), path


def python(code: str) -> str:
    run = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    return run.stdout.strip()


def test_the_command_line_starts_light() -> None:
    loaded = python(
        "import sys, edgebot.cli.app; print(*{name.split('.')[0] for name in sys.modules})"
    )
    assert not set(HEAVY) & set(loaded.split())


def test_importing_opens_nothing() -> None:
    """Importing every module starts no thread and opens no file, device or socket."""
    names = [
        ".".join(("edgebot", *path.relative_to(ROOT).with_suffix("").parts))
        for path in modules()
        if path.name not in ("__init__.py", "__main__.py")
    ]
    code = f"""
import importlib, os, threading
for name in {names!r}:
    importlib.import_module(name)
ours = [thread.name for thread in threading.enumerate() if thread.name != "MainThread"]
open_files = [os.readlink(f"/proc/self/fd/{{fd}}") for fd in os.listdir("/proc/self/fd")
              if os.path.exists(f"/proc/self/fd/{{fd}}")]
print(ours, [name for name in open_files if "socket" in name or "/dev/snd" in name
             or name.endswith((".gguf", ".onnx", ".ort"))])
"""
    assert python(code).splitlines()[-1] == "[] []"
