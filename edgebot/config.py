"""Settings in layers: defaults < machine < user < environment < flags.

`load_settings` reads the layers, checks the result and returns frozen `Settings`. Nothing here is
global: whoever needs settings is handed them.
"""

from __future__ import annotations

import difflib
import os
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

import platformdirs
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    field_validator,
)
from pydantic_core import PydanticCustomError

from edgebot.errors import ConfigError

MACHINE_FILE = Path("/etc/edgebot/edgebot.toml")
MACHINE_MODELS = Path("/var/lib/edgebot/models")
ENVIRONMENT_PREFIX = "EDGEBOT_"

Share = Annotated[float, Field(ge=0.0, le=1.0)]
Seconds = Annotated[float, Field(ge=0.05, le=10.0)]
# A GPIO line by its Broadcom number; 0, which belongs to the board's own EEPROM, is none.
Pin = Annotated[int, Field(ge=0, le=27)]
_NIGHT = r"^(|([01]\d|2[0-3]):[0-5]\d-([01]\d|2[0-3]):[0-5]\d)$"
ChimeName = Literal["ready", "woken", "heard", "cancelled", "muted", "fault", "timer", "ring"]

CallMode = Literal["assistant", "intercom"]


class Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    @field_validator("*", mode="before")
    @classmethod
    def _no_number_by_chance(cls, value: Any, info: ValidationInfo) -> Any:
        # Pydantic would take true for 1.
        wanted = cls.model_fields[str(info.field_name)].annotation
        if isinstance(value, bool) and wanted is not bool:
            raise PydanticCustomError("bool", "Neither true nor false is possible here")
        return value


class Exchange(Section):
    """One example of a question and its answer."""

    user: str
    assistant: str


class AssistantSettings(Section):
    name: Annotated[str, Field(min_length=1)]
    greeting: str
    prompt: Annotated[str, Field(min_length=1)]
    examples: tuple[Exchange, ...]

    @property
    def instruction(self) -> str:
        """The prompt with the assistant's name filled in."""
        return self.named(self.prompt).strip()

    def named(self, text: str) -> str:
        """Fill the assistant's name in."""
        return text.replace("{name}", self.name)


class AudioSettings(Section):
    microphone: str | int
    speaker: str | int
    volume: Share


class ChimesSettings(Section):
    volume: Share
    play: tuple[ChimeName, ...]


class WakeSettings(Section):
    mode: Literal["word", "button", "always"]
    engine: Literal["microwakeword", "openwakeword"]
    words: tuple[str, ...]
    sensitivity: Share
    follow_up_s: Annotated[float, Field(ge=0.0, le=120.0)]
    pre_roll_s: Annotated[float, Field(ge=0.0, le=3.0)]


class EchoSettings(Section):
    cancel: Literal["auto", "on", "off"]
    guard: bool
    noise_suppression: bool
    gain_control: bool


class PanelSettings(Section):
    gpio: Literal["auto", "off", "lgpio", "mock"]
    talk_pin: Pin
    hold_s: Annotated[float, Field(ge=0.1, le=2.0)]
    long_hold_s: Annotated[float, Field(ge=2.0, le=30.0)]
    long_hold: Literal["nothing", "mute", "shutdown"]
    mute_pin: Pin
    mute_kind: Literal["button", "switch"]
    volume_up_pin: Pin
    volume_down_pin: Pin
    encoder_pins: tuple[Pin, ...]


class LightSettings(Section):
    kind: Literal["none", "led", "three", "rgb", "apa102", "ws2812"]
    pins: tuple[Pin, ...]
    count: Annotated[int, Field(ge=1, le=64)]
    brightness: Share
    night: Annotated[str, Field(pattern=_NIGHT)]
    night_brightness: Share


class TurnSettings(Section):
    start_s: Seconds
    stop_s: Seconds
    hold_s: Annotated[float, Field(ge=0.0, le=10.0)]
    hold_question_s: Annotated[float, Field(ge=0.0, le=10.0)]
    hold_unfinished_s: Annotated[float, Field(ge=0.0, le=10.0)]
    eager: bool
    confidence: Share
    min_volume: Share
    interrupt: bool
    end: Literal["auto", "pause", "melody", "smart"]


class SttSettings(Section):
    engine: str
    model: str
    grammar: tuple[str, ...]


class LlmSettings(Section):
    engine: str
    model: str
    context_tokens: Annotated[int, Field(ge=256, le=131_072)]
    max_tokens: Annotated[int, Field(ge=1, le=4096)]
    max_sentences: Annotated[int, Field(ge=0, le=100)]
    temperature: Annotated[float, Field(ge=0.0, le=2.0)]
    top_p: Annotated[float, Field(gt=0.0, le=1.0)]
    min_p: Share
    repeat_penalty: Annotated[float, Field(gt=0.0, le=2.0)]
    threads: Annotated[int, Field(ge=0, le=256)]
    server_url: str
    server_key: str


class TtsSettings(Section):
    engine: str
    model: str
    speed: Annotated[float, Field(ge=0.25, le=4.0)]
    volume: Annotated[float, Field(ge=0.0, le=2.0)]
    speak_by: Literal["clause", "sentence"]
    threads: Annotated[int, Field(ge=0, le=256)]


class ModelsSettings(Section):
    dir: Path
    set: Literal["auto", "tiny", "small", "standard"]


class LogSettings(Section):
    level: Literal["debug", "info", "warning", "error", "off"]
    words: bool


class ServiceSettings(Section):
    memory_limit_mb: Annotated[int, Field(ge=0, le=1_000_000)]


class BridgeSettings(Section):
    enabled: bool
    host: Annotated[str, Field(min_length=1)]
    port: Annotated[int, Field(ge=0, le=65_535)]
    names: tuple[str, ...]
    certificate: str
    certificate_key_file: str
    greeting: str
    modes: Annotated[tuple[CallMode, ...], Field(min_length=1)]
    ring_s: Annotated[float, Field(ge=5.0, le=300.0)]
    callers: Annotated[int, Field(ge=1, le=8)]
    longest_call_s: Annotated[float, Field(ge=10.0, le=86_400.0)]


class Settings(Section):
    """Everything that can be set. Units are in the names; `defaults.toml` explains each key."""

    language: Annotated[str, Field(pattern=r"^[a-z]{2,3}$")]
    board: str
    assistant: AssistantSettings
    audio: AudioSettings
    wake: WakeSettings
    echo: EchoSettings
    chimes: ChimesSettings
    panel: PanelSettings
    light: LightSettings
    turn: TurnSettings
    stt: SttSettings
    llm: LlmSettings
    tts: TtsSettings
    models: ModelsSettings
    log: LogSettings
    service: ServiceSettings
    bridge: BridgeSettings


@dataclass(frozen=True)
class Layer:
    """One source of settings: a tree of tables, and its name for a person."""

    name: str
    values: Mapping[str, Any]


@dataclass(frozen=True)
class Origin:
    """A key, the value in force, and the name of the layer it came from."""

    key: str
    value: Any
    layer: str


def user_file() -> Path:
    """Where a user's own settings live."""
    return Path(platformdirs.user_config_dir("edgebot")) / "edgebot.toml"


def load_settings(
    *,
    file: Path | None = None,
    flags: Sequence[str] = (),
    environment: Mapping[str, str] = os.environ,
) -> Settings:
    """Read all layers and return the settings in force.

    Args:
        file: Read this file instead of the machine's and the user's.
        flags: `section.key=value` assignments, the last layer.
        environment: The variables; `EDGEBOT_STT__MODEL` sets `stt.model`.

    Raises:
        ConfigError: A layer cannot be read, or holds an unknown key or a wrong value.
    """
    return validate(layers(file=file, flags=flags, environment=environment))


def layers(
    *, file: Path | None, flags: Sequence[str], environment: Mapping[str, str]
) -> list[Layer]:
    """Return the layers in rising order of precedence."""
    if file is not None:
        found = [read_layer(file)]
    else:
        found = [read_layer(path) for path in (MACHINE_FILE, user_file()) if is_there(path)]
    found += environment_layers(environment)
    found += [flag_layer(flag) for flag in flags]
    boards = [layer.values["board"] for layer in found if layer.values.get("board")]
    return [default_layer(), *map(board_layer, boards[-1:]), *found]


def default_layer() -> Layer:
    """Return edgebot's own values."""
    defaults = resources.files("edgebot").joinpath("defaults.toml").read_text(encoding="utf-8")
    return Layer("default", tomllib.loads(defaults))


def known_boards() -> list[str]:
    """Return the names that `board` may have."""
    folder = resources.files("edgebot").joinpath("boards")
    return sorted(file.name.removesuffix(".toml") for file in folder.iterdir())


def board_layer(name: object) -> Layer:
    """Return the settings that a board brings."""
    if name not in known_boards():
        near = difflib.get_close_matches(str(name), known_boards(), n=1, cutoff=0.4)
        hint = f" Did you mean {near[0]!r}?" if near else ""
        choices = ", ".join(map(repr, known_boards()))
        raise ConfigError(f"There is no board {name!r}: it may be {choices}.{hint}")
    text = resources.files("edgebot").joinpath("boards", f"{name}.toml").read_text(encoding="utf-8")
    return Layer(f"board {name}", tomllib.loads(text))


def is_there(path: Path) -> bool:
    """Tell whether a file may be there: also where its folder may not be looked into."""
    try:
        return path.is_file()
    except OSError:
        return True


def read_layer(path: Path) -> Layer:
    """Read one settings file."""
    try:
        return Layer(str(path), tomllib.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        raise ConfigError(f"There is no settings file {path}.") from None
    except OSError as error:
        raise ConfigError(f"The settings file {path} cannot be read: {error.strerror}.") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"The settings file {path} is not valid TOML: {error}.") from None


def environment_layers(environment: Mapping[str, str]) -> list[Layer]:
    """Return one layer for each variable that sets something."""
    return [
        Layer(f"${name}", nest(name[len(ENVIRONMENT_PREFIX) :].lower().split("__"), text))
        for name, text in sorted(environment.items())
        if name.startswith(ENVIRONMENT_PREFIX)
    ]


def flag_layer(flag: str) -> Layer:
    """Return the layer of one `section.key=value`."""
    key, equals, text = flag.partition("=")
    if not equals:
        raise ConfigError(f"--set wants section.key=value, not {flag!r}.")
    # The name holds no value: it is shown, and the value may be a secret.
    return Layer(f"--set {key.strip()}", nest(key.strip().split("."), text.strip()))


def nest(path: Sequence[str], text: str) -> dict[str, Any]:
    """Turn a dotted key and its text into tables; the text is read as TOML where it can be."""
    try:
        parsed = tomllib.loads(f"value = {text}")
    except tomllib.TOMLDecodeError:
        parsed = {}
    value: Any = parsed["value"] if parsed.keys() == {"value"} else text
    field = known_keys().get(".".join(path))
    if field is not None and field.annotation is str and not isinstance(value, str):
        value = text  # A name or a password may look like a number.
    for name in reversed(path):
        value = {name: value}
    return dict(value)


def leaves(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yield every (dotted key, value) of a tree of tables."""
    for name, value in values.items():
        key = f"{prefix}{name}"
        if isinstance(value, Mapping):
            yield from leaves(value, f"{key}.")
        else:
            yield key, value


def known_keys() -> dict[str, Any]:
    """Return every dotted key with its pydantic field."""
    keys: dict[str, Any] = {}
    for name, field in Settings.model_fields.items():
        section = field.annotation
        if isinstance(section, type) and issubclass(section, Section):
            keys |= {f"{name}.{key}": inner for key, inner in section.model_fields.items()}
        else:
            keys[name] = field
    return keys


def origins(stack: Sequence[Layer]) -> list[Origin]:
    """Return every key's value in force and the layer that it came from, in the defaults' order.

    Raises:
        ConfigError: A layer sets a key that does not exist.
    """
    known = known_keys()
    found: dict[str, Origin] = {}
    for layer in stack:
        for key, value in leaves(layer.values):
            if key not in known:
                raise ConfigError(unknown_key(key, layer.name, list(known)))
            found[key] = Origin(key, value, layer.name)
    return [found[key] for key in known]


def unknown_key(key: str, layer: str, known: list[str]) -> str:
    """Say that a key does not exist, with the nearest one that does."""
    near = difflib.get_close_matches(key, known, n=1, cutoff=0.5)
    if not near:
        last = key.rpartition(".")[2]
        near = [name for name in known if name.rpartition(".")[2] == last][:1]
    hint = f" Did you mean {near[0]!r}?" if near else " `edgebot config` lists all keys."
    return f"There is no setting {key!r} ({layer}).{hint}"


def validate(stack: Sequence[Layer]) -> Settings:
    """Merge the layers and check every value.

    Raises:
        ConfigError: Names the key, the layer it came from and what it may be.
    """
    tree: dict[str, Any] = {}
    found = {origin.key: origin for origin in origins(stack)}
    for origin in found.values():
        section, _, name = origin.key.rpartition(".")
        (tree.setdefault(section, {}) if section else tree)[name] = origin.value
    tree["models"]["dir"] = models_dir(tree["models"]["dir"])
    try:
        return Settings.model_validate(tree)
    except ValidationError as error:
        fault = error.errors()[0]
        key = ".".join(str(part) for part in fault["loc"][:2])
        layer = found[key].layer if key in found else "default"
        raise ConfigError(wrong_value(key, layer, fault)) from None


def models_dir(value: Any) -> Any:
    """Return the models' folder: the configured one, else the machine's, else the user's."""
    if value == "":
        # The bridge's service may not even look there.
        with suppress(PermissionError):
            if MACHINE_MODELS.is_dir():
                return MACHINE_MODELS
        return Path(platformdirs.user_data_dir("edgebot")) / "models"
    return Path(value).expanduser() if isinstance(value, str) else value


def is_secret(key: str) -> bool:
    """Tell whether the value of a key is to be kept out of sight."""
    return key.endswith("_key")


def wrong_value(key: str, layer: str, fault: Mapping[str, Any]) -> str:
    """Say why a value is refused, with the nearest right one where there is a list of them."""
    field = known_keys().get(key)
    choices = [c for c in get_args(field.annotation) if isinstance(c, str)] if field else []
    given = fault["input"]
    value = str(given).lower() if isinstance(given, bool) else repr(given)
    if is_secret(key):
        value = "what it is set to"
    if fault["type"] == "literal_error" and choices:
        near = difflib.get_close_matches(str(given), choices, n=1, cutoff=0.4)
        hint = f" Did you mean {near[0]!r}?" if near else ""
        reason = f"it may be {', '.join(map(repr, choices))}"
        return f"{key} cannot be {value} ({layer}): {reason}.{hint}"
    reason = fault["msg"][0].lower() + fault["msg"][1:]
    return f"{key} cannot be {value} ({layer}): {reason}."
