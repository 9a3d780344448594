"""Settings: the layers and their order, what is refused and how, and that no key is forgotten."""

from __future__ import annotations

import json
import re
import tomllib
from importlib import resources
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from edgebot import config
from edgebot.config import (
    Layer,
    Origin,
    Settings,
    environment_layers,
    flag_layer,
    known_boards,
    known_keys,
    layers,
    leaves,
    load_settings,
    nest,
    origins,
    read_layer,
    user_file,
    validate,
)
from edgebot.errors import ConfigError

DEFAULTS = resources.files("edgebot").joinpath("defaults.toml").read_text(encoding="utf-8")


@pytest.fixture(autouse=True)
def no_files_of_this_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(config, "MACHINE_FILE", tmp_path / "machine.toml")
    monkeypatch.setattr(config, "MACHINE_MODELS", tmp_path / "machine-models")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))


def load(*flags: str, file: Path | None = None, **environment: str) -> Settings:
    return load_settings(file=file, flags=flags, environment=environment)


def refused(*flags: str, file: Path | None = None, **environment: str) -> str:
    with pytest.raises(ConfigError) as caught:
        load(*flags, file=file, **environment)
    return str(caught.value)


def value_of(found: Settings, key: str) -> Any:
    """Follow a dotted key."""
    value: Any = found
    for name in key.split("."):
        value = getattr(value, name)
    return value


# The layers


def test_the_defaults_alone_are_valid() -> None:
    found = load()
    assert (found.language, found.stt.engine, found.llm.engine) == ("en", "auto", "llama_cpp")
    assert found.assistant.examples


def test_each_layer_wins_over_the_one_before(tmp_path: Path) -> None:
    assert load().tts.speed == 1.0
    config.MACHINE_FILE.write_text("[tts]\nspeed = 1.1\n")
    assert load().tts.speed == 1.1
    user_file().parent.mkdir(parents=True)
    user_file().write_text("[tts]\nspeed = 1.2\n")
    assert load().tts.speed == 1.2
    assert load(EDGEBOT_TTS__SPEED="1.3").tts.speed == 1.3
    assert load("tts.speed=1.4", EDGEBOT_TTS__SPEED="1.3").tts.speed == 1.4
    assert load("tts.speed=1.4", "tts.speed=1.5").tts.speed == 1.5


def test_a_layer_changes_only_what_it_names(tmp_path: Path) -> None:
    config.MACHINE_FILE.write_text('[llm]\nmodel = "big"\nmax_tokens = 40\n')
    found = load("llm.max_tokens=50")
    assert (found.llm.model, found.llm.max_tokens, found.llm.top_p) == ("big", 50, 1.0)


def test_a_named_file_replaces_the_machines_and_the_users(tmp_path: Path) -> None:
    config.MACHINE_FILE.write_text('[assistant]\nname = "Machine"\n')
    mine = tmp_path / "mine.toml"
    mine.write_text("[tts]\nspeed = 1.1\n")
    found = load(file=mine)
    assert (found.assistant.name, found.tts.speed) == ("Edgebot", 1.1)


def test_the_users_file_is_where_the_desktop_says(tmp_path: Path) -> None:
    assert user_file() == tmp_path / "config" / "edgebot" / "edgebot.toml"


def test_a_variable_needs_the_prefix_and_ignores_case_of_its_name() -> None:
    found = environment_layers({"STT__MODEL": "a", "EDGEBOT_STT__MODEL": "b", "edgebot_x": "c"})
    assert found == [Layer("$EDGEBOT_STT__MODEL", {"stt": {"model": "b"}})]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1.5", 1.5),
        ("true", True),
        ('["on", "off"]', ["on", "off"]),
        ("plain words", "plain words"),
        ('"quoted"', "quoted"),
        ("", ""),
        ("1\nother = 2", "1\nother = 2"),
    ],
)
def test_a_flags_text_is_read_as_toml_where_it_can_be(text: str, value: object) -> None:
    assert nest(["some", "key"], text) == {"some": {"key": value}}


@pytest.mark.parametrize("text", ["123456", "true", "1e5", "2024-01-01", "[1]", "1\nx = 2"])
def test_a_text_that_looks_like_something_else_stays_a_text(text: str) -> None:
    assert load(EDGEBOT_LLM__SERVER_KEY=text).llm.server_key == text
    assert load(f"assistant.name={text}").assistant.name == text


def test_a_device_may_be_a_number_or_a_name() -> None:
    assert load("audio.microphone=2").audio.microphone == 2
    assert load("audio.microphone=USB").audio.microphone == "USB"


def test_a_flag_may_have_spaces_and_equals_signs_in_its_value() -> None:
    layer = flag_layer(" llm.server_url = http://pi/?a=b ")
    assert layer == Layer("--set llm.server_url", {"llm": {"server_url": "http://pi/?a=b"}})


@pytest.mark.parametrize("key", ["llm.threads", "audio.volume", "audio.microphone"])
def test_true_is_no_number_and_no_device(key: str) -> None:
    told = f"{key} cannot be true (--set {key}): neither true nor false is possible here."
    assert refused(f"{key}=true") == told


def test_the_prompt_holds_the_name() -> None:
    assert load("assistant.name=Ada").assistant.instruction.endswith("named Ada.")
    assert load("assistant.name=A", "assistant.prompt= {name}{x} ").assistant.instruction == "A{x}"


def test_settings_cannot_be_changed() -> None:
    with pytest.raises(ValueError, match="frozen"):
        load().tts.speed = 2.0


# The models' folder


def test_the_models_folder_is_the_machines_where_there_is_one(tmp_path: Path) -> None:
    assert load().models.dir == tmp_path / "data" / "edgebot" / "models"
    config.MACHINE_MODELS.mkdir()
    assert load().models.dir == config.MACHINE_MODELS
    assert load("models.dir=/elsewhere").models.dir == Path("/elsewhere")


def test_who_may_not_look_there_has_no_machine_models(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Hidden(type(tmp_path)):  # type: ignore[misc]
        def is_dir(self) -> bool:
            raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(config, "MACHINE_MODELS", Hidden("/var/lib/edgebot/models"))
    assert load().models.dir == tmp_path / "data" / "edgebot" / "models"


def test_a_tilde_is_the_home_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/somebody")
    assert load("models.dir=~/models").models.dir == Path("/home/somebody/models")


# Origins


def test_origins_name_the_layer_in_force(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text("[tts]\nspeed = 1.1\nvolume = 0.5\n")
    stack = layers(file=file, flags=["tts.speed=1.3"], environment={"EDGEBOT_STT__ENGINE": "vosk"})
    found = {origin.key: origin for origin in origins(stack)}
    assert found["tts.speed"] == Origin("tts.speed", 1.3, "--set tts.speed")
    assert found["tts.volume"] == Origin("tts.volume", 0.5, str(file))
    assert found["stt.engine"] == Origin("stt.engine", "vosk", "$EDGEBOT_STT__ENGINE")
    assert found["language"] == Origin("language", "en", "default")
    assert list(found) == list(known_keys())


def test_no_origin_holds_a_value() -> None:
    stack = layers(file=None, flags=["llm.server_key=hush"], environment={})
    assert "hush" not in "".join(layer.name for layer in stack)


# What is refused


@pytest.mark.parametrize(
    ("flag", "message"),
    [
        (
            "stt.modle=x",
            "There is no setting 'stt.modle' (--set stt.modle). Did you mean 'stt.model'?",
        ),
        (
            "volume=1",
            "There is no setting 'volume' (--set volume). Did you mean 'tts.volume'?",
        ),
        (
            "zzz=1",
            "There is no setting 'zzz' (--set zzz). `edgebot config` lists all keys.",
        ),
        (
            "turn.end=smrt",
            "turn.end cannot be 'smrt' (--set turn.end): "
            "it may be 'auto', 'pause', 'melody', 'smart'. "
            "Did you mean 'smart'?",
        ),
        (
            "models.set=9",
            "models.set cannot be 9 (--set models.set): it may be 'auto', 'tiny', 'small', "
            "'standard'.",
        ),
        (
            "audio.volume=2",
            "audio.volume cannot be 2 (--set audio.volume): input should be less than or equal "
            "to 1.",
        ),
        (
            "turn.stop_s=nan",
            "turn.stop_s cannot be nan (--set turn.stop_s): input should be a finite number.",
        ),
        (
            "language=English",
            "language cannot be 'English' (--set language): string should match pattern "
            "'^[a-z]{2,3}$'.",
        ),
        (
            "assistant.examples=[{ user = 'a' }]",
            "assistant.examples cannot be {'user': 'a'} (--set assistant.examples): field "
            "required.",
        ),
        ("nothing", "--set wants section.key=value, not 'nothing'."),
    ],
)
def test_a_wrong_flag_is_refused_by_name(flag: str, message: str) -> None:
    assert refused(flag) == message


def test_a_key_without_its_section_finds_its_namesake() -> None:
    assert "Did you mean 'llm.top_p'?" in refused("top_p=1")
    assert "Did you mean 'models.dir'?" in refused("some.very.deep.table.dir=1")


def test_a_wrong_variable_and_a_wrong_file_are_named(tmp_path: Path) -> None:
    assert "($EDGEBOT_STT__MODLE)" in refused(EDGEBOT_STT__MODLE="x")
    assert "($EDGEBOT_TTS__SPEED)" in refused(EDGEBOT_TTS__SPEED="fast")
    file = tmp_path / "mine.toml"
    file.write_text("[tts]\nspeed = 9\n")
    assert f"({file})" in refused(file=file)


def test_the_origin_in_an_error_is_the_layer_that_is_wrong(tmp_path: Path) -> None:
    config.MACHINE_FILE.write_text("[tts]\nspeed = 9\n")
    assert f"({config.MACHINE_FILE})" in refused("tts.volume=0.5")


def test_a_secret_stays_out_of_errors(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text("[llm]\nserver_key = 12345678\n")
    assert refused(file=file) == (
        f"llm.server_key cannot be what it is set to ({file}): input should be a valid string."
    )


def test_a_section_cannot_be_a_value() -> None:
    assert refused("stt=vosk").startswith("There is no setting 'stt' (--set stt).")
    assert "'language.spoken'" in refused("language.spoken=en")


# Files that cannot be read


def test_a_missing_file(tmp_path: Path) -> None:
    path = tmp_path / "none.toml"
    assert refused(file=path) == f"There is no settings file {path}."


def test_a_folder_for_a_file(tmp_path: Path) -> None:
    message = f"The settings file {tmp_path} cannot be read: Is a directory."
    assert refused(file=tmp_path) == message


@pytest.mark.parametrize("content", [b"[tts\n", b"a = 1\na = 2\n", b"x = \xff\n", b"\x00"])
def test_broken_toml(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "broken.toml"
    path.write_bytes(content)
    assert refused(file=path).startswith(f"The settings file {path} is not valid TOML: ")


def test_the_place_of_broken_toml_is_named(tmp_path: Path) -> None:
    path = tmp_path / "broken.toml"
    path.write_text("[tts]\nspeed = fast\n")
    assert "(at line 2, column 9)" in refused(file=path)


def test_an_empty_file_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "empty.toml"
    path.write_text("")
    assert load(file=path) == load()
    assert read_layer(path) == Layer(str(path), {})


# Properties

WORDS = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), max_size=20)
ANY_VALUE: dict[str, st.SearchStrategy[Any]] = {
    "language": st.from_regex(r"\A[a-z]{2,3}\Z"),
    "board": st.sampled_from(["", *known_boards()]),
    "assistant.name": WORDS.filter(bool),
    "assistant.greeting": WORDS,
    "assistant.prompt": WORDS.filter(bool),
    "assistant.examples": st.lists(
        st.fixed_dictionaries({"user": WORDS, "assistant": WORDS}), max_size=2
    ),
    "audio.microphone": WORDS | st.integers(0, 99),
    "audio.speaker": WORDS | st.integers(0, 99),
    "audio.volume": st.floats(0, 1),
    "wake.mode": st.sampled_from(["word", "button", "always"]),
    "wake.engine": st.sampled_from(["microwakeword", "openwakeword"]),
    "wake.words": st.lists(WORDS, max_size=3),
    "wake.sensitivity": st.floats(0, 1),
    "wake.follow_up_s": st.floats(0, 120),
    "wake.pre_roll_s": st.floats(0, 3),
    "echo.cancel": st.sampled_from(["auto", "on", "off"]),
    "echo.guard": st.booleans(),
    "echo.noise_suppression": st.booleans(),
    "echo.gain_control": st.booleans(),
    "chimes.volume": st.floats(0, 1),
    "chimes.play": st.lists(st.sampled_from(["ready", "woken", "heard", "fault"]), max_size=3),
    "panel.gpio": st.sampled_from(["auto", "off", "lgpio", "mock"]),
    "panel.talk_pin": st.integers(0, 27),
    "panel.hold_s": st.floats(0.1, 2),
    "panel.long_hold_s": st.floats(2, 30),
    "panel.long_hold": st.sampled_from(["nothing", "mute", "shutdown"]),
    "panel.mute_pin": st.integers(0, 27),
    "panel.mute_kind": st.sampled_from(["button", "switch"]),
    "panel.volume_up_pin": st.integers(0, 27),
    "panel.volume_down_pin": st.integers(0, 27),
    "panel.encoder_pins": st.lists(st.integers(0, 27), max_size=2),
    "light.kind": st.sampled_from(["none", "led", "three", "rgb", "apa102", "ws2812"]),
    "light.pins": st.lists(st.integers(0, 27), max_size=3),
    "light.count": st.integers(1, 64),
    "light.brightness": st.floats(0, 1),
    "light.night": st.sampled_from(["", "22:00-07:00"]),
    "light.night_brightness": st.floats(0, 1),
    "turn.start_s": st.floats(0.05, 10),
    "turn.stop_s": st.floats(0.05, 10),
    "turn.hold_s": st.floats(0, 10),
    "turn.hold_question_s": st.floats(0, 10),
    "turn.hold_unfinished_s": st.floats(0, 10),
    "turn.eager": st.booleans(),
    "turn.confidence": st.floats(0, 1),
    "turn.min_volume": st.floats(0, 1),
    "turn.interrupt": st.booleans(),
    "turn.end": st.sampled_from(["auto", "pause", "melody", "smart"]),
    "stt.engine": WORDS,
    "stt.model": WORDS,
    "stt.grammar": st.lists(WORDS, max_size=3),
    "llm.engine": WORDS,
    "llm.model": WORDS,
    "llm.context_tokens": st.integers(256, 131_072),
    "llm.max_tokens": st.integers(1, 4096),
    "llm.max_sentences": st.integers(0, 100),
    "llm.temperature": st.floats(0, 2),
    "llm.top_p": st.floats(0, 1, exclude_min=True),
    "llm.min_p": st.floats(0, 1),
    "llm.repeat_penalty": st.floats(0, 2, exclude_min=True),
    "llm.threads": st.integers(0, 256),
    "llm.server_url": WORDS,
    "llm.server_key": WORDS,
    "tts.engine": WORDS,
    "tts.model": WORDS,
    "tts.speed": st.floats(0.25, 4),
    "tts.volume": st.floats(0, 2),
    "tts.speak_by": st.sampled_from(["clause", "sentence"]),
    "tts.threads": st.integers(0, 256),
    "models.dir": st.from_regex(r"\A/[a-z]{1,9}\Z").map(Path),
    "models.set": st.sampled_from(["auto", "tiny", "small", "standard"]),
    "log.level": st.sampled_from(["debug", "info", "warning", "error", "off"]),
    "log.words": st.booleans(),
    "service.memory_limit_mb": st.integers(0, 1_000_000),
    "bridge.enabled": st.booleans(),
    "bridge.host": WORDS.filter(bool),
    "bridge.port": st.integers(0, 65_535),
    "bridge.names": st.lists(WORDS, max_size=3),
    "bridge.certificate": WORDS,
    "bridge.certificate_key_file": WORDS,
    "bridge.greeting": WORDS,
    "bridge.modes": st.lists(st.sampled_from(["assistant", "intercom"]), min_size=1, unique=True),
    "bridge.ring_s": st.floats(5, 300),
    "bridge.callers": st.integers(1, 8),
    "bridge.longest_call_s": st.floats(10, 86_400),
}
ASSIGNMENTS = st.sampled_from(sorted(ANY_VALUE)).flatmap(
    lambda key: st.tuples(st.just(key), ANY_VALUE[key])
)


def toml(value: Any) -> str:
    """Write a value as TOML would have it."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key} = {toml(inner)}" for key, inner in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(toml, value)) + "]"
    if isinstance(value, Path):
        return json.dumps(str(value))
    # JSON escapes a lone surrogate pair for what TOML wants as it is.
    return json.dumps(value, ensure_ascii=False) if isinstance(value, str) else str(value).lower()


def plain(value: Any) -> Any:
    """Turn a setting's value back into lists and tables."""
    if isinstance(value, tuple):
        return [plain(item) for item in value]
    return value.model_dump() if isinstance(value, config.Section) else value


def test_every_key_has_a_strategy() -> None:
    assert list(ANY_VALUE) == list(known_keys())


@given(ASSIGNMENTS)
def test_any_valid_value_of_any_key_comes_back(assignment: tuple[str, Any]) -> None:
    key, value = assignment
    assume("\x7f" not in toml(value))
    found = load(f"{key}={toml(value)}")
    assert plain(value_of(found, key)) == value
    variable = "EDGEBOT_" + key.upper().replace(".", "__")
    assert load(**{variable: toml(value)}) == found


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(assignment=ASSIGNMENTS)
def test_any_valid_value_in_a_file_comes_back(tmp_path: Path, assignment: tuple[str, Any]) -> None:
    key, value = assignment
    assume("\x7f" not in toml(value))
    file = tmp_path / "any.toml"
    file.write_text(f"{key} = {toml(value)}\n", encoding="utf-8", newline="")
    assert plain(value_of(load(file=file), key)) == value


@given(st.from_regex(r"\A[a-z_]{1,12}(\.[a-z_]{1,12}){0,2}\Z"))
def test_any_unknown_key_is_refused_by_name(key: str) -> None:
    assume(key not in known_keys())
    message = refused(f"{key}=1")
    assert message.startswith(f"There is no setting {key!r} (--set {key}).")
    suggested = re.search(r"Did you mean '(.+)'\?$", message)
    assert suggested is None or suggested[1] in known_keys()


@given(st.lists(st.dictionaries(st.sampled_from(sorted(ANY_VALUE)), st.integers()), max_size=4))
def test_merging_never_loses_a_key(changes: list[dict[str, int]]) -> None:
    stack = layers(file=None, flags=[], environment={})
    for number, change in enumerate(changes):
        tree: dict[str, Any] = {}
        for key, value in change.items():
            section, _, name = key.rpartition(".")
            (tree.setdefault(section, {}) if section else tree)[name] = value
        stack.append(Layer(str(number), tree))
    expected = dict(leaves(stack[0].values))
    for change in changes:
        expected |= change
    assert {origin.key: origin.value for origin in origins(stack)} == expected


@given(st.dictionaries(st.sampled_from(sorted(ANY_VALUE)), st.none(), max_size=9), st.data())
def test_many_assignments_do_not_disturb_each_other(
    keys: dict[str, None], data: st.DataObject
) -> None:
    values = {key: data.draw(ANY_VALUE[key]) for key in keys}
    assume(not any("\x7f" in toml(value) for value in values.values()))
    found = load(*(f"{key}={toml(value)}" for key, value in values.items()))
    untouched = load(f"board={values.get('board', '')}")
    for key in known_keys():
        expected = values[key] if key in values else plain(value_of(untouched, key))
        assert plain(value_of(found, key)) == expected


# The defaults


def test_the_defaults_hold_every_key_and_no_other() -> None:
    assert {key for key, _ in leaves(tomllib.loads(DEFAULTS))} == set(known_keys())


def test_the_defaults_stand_in_the_order_of_the_settings() -> None:
    assert [key for key, _ in leaves(tomllib.loads(DEFAULTS))] == list(known_keys())


def test_no_key_is_validated_that_is_not_known() -> None:
    tree = validate(layers(file=None, flags=[], environment={})).model_dump()
    tree["assistant"]["examples"] = []
    assert {key for key, _ in leaves(tree)} == set(known_keys())


def test_every_default_has_a_comment() -> None:
    lines = DEFAULTS.splitlines()
    uncommented = []
    for line in lines:
        if not re.match(r"[a-z_]+ = ", line):
            continue
        key = line.partition(" = ")[0]
        if not re.search(r"\s# \S", line):
            uncommented.append(key)
    assert uncommented == []
