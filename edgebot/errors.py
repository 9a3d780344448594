"""Every fault that edgebot names, one class each.

An error's message is one sentence for the person at the box: what is wrong, and what to do about
it. The command line prints it without a traceback and leaves with the class's `exit_code`.
"""


class EdgebotError(Exception):
    """A fault that edgebot understands, and the root of all of them."""

    exit_code = 1


class ConfigError(EdgebotError):
    """A settings file, variable or flag holds something that edgebot cannot use."""

    exit_code = 3


class AudioFileError(EdgebotError):
    """A recording is missing, is no audio, or holds no speech."""

    exit_code = 4


class ModelError(EdgebotError):
    """A model cannot be used."""

    exit_code = 5


class MissingModelError(ModelError):
    """A model is not installed."""


class BrokenModelError(ModelError):
    """A model's files differ from what was installed, or its engine refuses them."""


class DownloadError(ModelError):
    """A model's source is out of reach, or what came is not what the catalogue promises."""


class DiskFullError(ModelError):
    """There is not enough room to install a model."""


class DeviceError(EdgebotError):
    """A microphone or a speaker cannot be used."""

    exit_code = 6


class NoMicrophoneError(DeviceError):
    """There is no microphone, or none by the configured name."""


class NoSpeakerError(DeviceError):
    """There is no speaker, or none by the configured name."""


class DeviceBusyError(DeviceError):
    """Another program holds the microphone or the speaker."""


class PinError(EdgebotError):
    """A button's or a light's pin cannot be used."""

    exit_code = 9


class ServerError(EdgebotError):
    """The language model's server does not answer."""

    exit_code = 7


class EngineError(EdgebotError):
    """An engine stopped working in the middle of a conversation."""

    exit_code = 8


class UnwellError(EdgebotError):
    """`edgebot doctor` found that something is at fault."""

    exit_code = 12


class NotRunningError(EdgebotError):
    """edgebot does not run as a service here."""

    exit_code = 10


class MemoryLimitError(EdgebotError):
    """The process kept too much memory; the service starts it again."""

    exit_code = 11


class NetworkError(EdgebotError):
    """A room elsewhere cannot be reached, or its service refuses."""

    exit_code = 13
