"""Models are installed and the process is killed in the middle, at moments of its whole length.

A kill does not lose what the kernel has still to write; that everything is on the disk before it
gets its name is what tests/unit/models/test_crash.py and test_store.py are for.
EDGEBOT_CUTS says how many; 100 take some minutes.
"""

from __future__ import annotations

import json
import os
import random
import time

from .conftest import Installed
from .service import UNIT, figures, on_request, pid, ready_again

pytestmark = on_request

FOLDER = "/root/cut"
IMPORT = f"EDGEBOT_MODELS__DIR={FOLDER} edgebot models import /root/models.tar"
VERIFY = f"EDGEBOT_MODELS__DIR={FOLDER} edgebot models verify --json"


def test_cuts_while_models_are_installed(installed: Installed) -> None:
    machine, chance = installed.machine, random.Random(9)
    begun = time.monotonic()
    machine.run(f"rm -rf {FOLDER}; {IMPORT}", timeout=120)
    whole_s = time.monotonic() - begun
    cuts, seen = int(os.environ.get("EDGEBOT_CUTS", "10")), []
    for number in range(cuts):
        machine.run(f"rm -rf {FOLDER}/piper* {FOLDER}/smollm*")
        after_s = whole_s * (number + chance.random()) / cuts
        machine.run(f"timeout --signal=KILL {after_s:.2f} env {IMPORT}", is_checked=False)
        # What is there is whole; what is not there is asked for again.
        done = machine.run(VERIFY, timeout=60, is_checked=False)
        found = json.loads(done.stdout or "[]")
        assert all(one["sound"] for one in found), found
        seen.append(len(found))
    assert min(seen) == 1
    machine.run(IMPORT, timeout=120)
    assert len(json.loads(machine.says(VERIFY))) == 3
    left = machine.says(f"find {FOLDER} -name '*.part' -o -name '.*' -type f")
    machine.run(f"rm -rf {FOLDER}")
    print(f"\n{cuts} cuts in {whole_s:.1f} s: {seen}; left over: {left or 'nothing'}")


def test_the_service_is_up_after_each_cut(installed: Installed) -> None:
    """The service's own models are installed anew while it runs, and both are killed."""
    machine, chance, times = installed.machine, random.Random(3), []
    machine.run(f"systemctl start {UNIT}", timeout=120)
    for _ in range(3):
        machine.run(
            f"timeout --signal=KILL {chance.uniform(0.5, 4):.2f} edgebot models import "
            "/root/models.tar",
            is_checked=False,
        )
        before = pid(machine)
        machine.run(f"kill -KILL {before}")
        times.append(ready_again(machine, before, within_s=60))
        assert "model" not in json.loads(machine.says("edgebot status --json"))["faults"]
    figures("killed while its models were installed", times)
