"""The replay guard: a full disk, and two processes at once."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from scar.errors import ScarError
from scar.jobs.claim import SignedRequest
from scar.jobs.record import JobState
from scar.jobs.results.logs import LogTail
from tests.support.filesystems import fill as fill
from tests.support.filesystems import mount as mount
from workers.runtime.outcome import Outcome
from workers.state.job_log import JobLog


def test_a_full_disk_leaves_the_log_entry_of_a_job_as_it_was(mount: Callable[[str], Path]) -> None:
    folder = mount("size=1m")
    job_log = JobLog(folder)
    job_log.begin("one", SignedRequest("{}", "", ""))
    fill(folder, 0)
    with pytest.raises(ScarError) as full:
        job_log.end("one", Outcome(JobState.SUCCEEDED, LogTail("x" * 10_000, 0, (), ())))
    assert full.value.code == "disk_full"
    assert sorted(path.name for path in folder.iterdir()) == ["ballast", "one"]
    assert not job_log.ended("one")


def test_jobs_that_begin_at_the_same_time_are_all_logged(tmp_path: Path) -> None:
    """A file that another process just renamed is gone when its age is read."""
    code = """if True:
        import sys
        from pathlib import Path
        from scar.jobs.claim import SignedRequest
        from workers.state.job_log import JobLog
        for n in range(400):
            JobLog(Path(sys.argv[1])).begin(f"{sys.argv[2]}-{n}", SignedRequest("", "", ""))
    """
    processes = [
        subprocess.Popen([sys.executable, "-c", code, tmp_path, str(n)], stderr=subprocess.PIPE)
        for n in range(2)
    ]
    for process in processes:
        _, errors = process.communicate()
        assert process.returncode == 0, errors
    assert len(os.listdir(tmp_path)) == 800
