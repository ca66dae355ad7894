"""A worker that is killed when everything is done but said."""

from __future__ import annotations

import os
import signal
import time

from tests.cli.home import eventually
from tests.deploy.shop import Shop


def test_a_rollback_is_not_done_again(shop: Shop) -> None:
    """Killed once its journal is closed: going back again would bring the bad release."""
    shop.write(page="two")
    assert shop.do("deploy").state == "succeeded"
    journal = shop.home.folder / "state" / "projects" / "shop" / "journal.jsonl"
    job = shop.ask("rollback")
    while not (journal.exists() and f'"{job.id}"' in journal.read_text()):
        time.sleep(0.001)
    while '"ended"' not in journal.read_text():
        time.sleep(0.0005)
    for pid in shop.pool():
        os.kill(pid, signal.SIGKILL)
    found = eventually(lambda: shop.api.job(job.id).state.ended and shop.api.job(job.id), "ended")
    assert found
    assert found.state == "succeeded", found.error
    assert found.result is not None
    assert found.result["restored"]
    assert shop.site() == "one"
    kinds = shop.do("history").result
    assert kinds is not None
    assert len(kinds["releases"]) == 3
