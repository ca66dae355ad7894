"""What an earlier version has written to the disk is read: a state folder survives an upgrade."""

from __future__ import annotations

from pathlib import Path

from scar.jobs.claim import SignedRequest
from scar.jobs.record import JobState
from scar.jobs.results.logs import LogTail
from workers.files.content_store import ContentStore
from workers.files.manifest import Entry
from workers.files.undo import Undo
from workers.state.downtime_history import DowntimeHistory
from workers.state.job_log import JobLog
from workers.state.journal import Journal
from workers.state.releases import Release, ReleasedService, Releases

OLD = "cba06b5736faf67e54b07b561eae94395e774c517a7d910a54369e1263ccfbd4"
NEW = "11507a0e2f5e69d5dfa40a62a1bd7b6ee57e6bcd85c67c9b8431b36fff21c437"
OLD_FILE = Entry("file", 420, 3, 1600000000000000000, OLD, 0, 0)
NEW_FILE = Entry("file", 420, 3, 1600000000000000000, NEW, 0, 0)
OLD_JSON = f'["file",420,3,1600000000000000000,"{OLD}",0,0]'
NEW_JSON = f'["file",420,3,1600000000000000000,"{NEW}",0,0]'


def test_an_undo_record_of_an_earlier_version_is_read(tmp_path: Path) -> None:
    path = tmp_path / "undo.json"
    path.write_text(
        '{"job":"job1","root":"/srv/shop",'
        f'"before":{{"a":{OLD_JSON},"new/l":null}},'
        f'"after":{{"a":{NEW_JSON},"new/l":["link",511,4,1795850816042575691,"../a",0,0]}},'
        '"made":["new"],"folders":{"gone":[493,0,0]},"handmade":["a"],'
        '"attributes":{"a":{"user.note":"bWluZQ=="}}}'
    )
    link = Entry("link", 511, 4, 1795850816042575691, "../a", 0, 0)
    assert Undo.load(path) == Undo(
        job="job1",
        root="/srv/shop",
        before={"a": OLD_FILE, "new/l": None},
        after={"a": NEW_FILE, "new/l": link},
        made=("new",),
        folders={"gone": (493, 0, 0)},
        handmade=("a",),
        attributes={"a": {"user.note": "bWluZQ=="}},
    )


def test_a_release_of_an_earlier_version_is_read(tmp_path: Path) -> None:
    (tmp_path / "releases").mkdir()
    manifest = NEW_JSON.replace('"', '\\"')
    (tmp_path / "releases" / "r1.json").write_text(
        '{"id": "r1", "at": 1, "by": "me", "commit": "abc", "dirty": false, "seconds": 1.5, '
        '"downtime": 0.25, "restored": null, "services": {"web": {"image": "shop-web", '
        '"image_id": "sha256:1", "build": "digest", "config_hash": "hash"}}, '
        f'"files": "{{\\"a\\":{manifest}}}", "relied_on": "{{\\".env\\":{manifest}}}"}}'
    )
    service = ReleasedService("shop-web", "sha256:1", "digest", "hash")
    assert Releases(tmp_path).latest() == Release(
        id="r1", at=1, by="me", commit="abc", dirty=False, seconds=1.5, downtime=0.25,
        restored=None, services={"web": service}, files={"a": NEW_FILE},
        relied_on={".env": NEW_FILE},
    )  # fmt: skip


def test_a_deployment_begun_by_an_earlier_version_is_recovered_from_its_journal(
    tmp_path: Path,
) -> None:
    (tmp_path / "journal.jsonl").write_text(
        '{"what": "begun", "job": "one"}\n{"what": "applying"}\n{"what": "star'
    )
    journal = Journal(tmp_path)
    assert journal.open
    assert journal.job == "one"
    assert [record["what"] for record in journal.records] == ["begun", "applying"]


def test_a_job_that_an_earlier_version_finished_is_not_run_again(tmp_path: Path) -> None:
    signed = '"signed": {"request": "{}", "signature": "s", "confirmation": "c"}'
    (tmp_path / "begun").write_text(f'{{{signed}, "begun_at": 1700000000.5}}')
    (tmp_path / "failed").write_text(
        f'{{{signed}, "begun_at": 1700000000.5, "state": "failed", "result": null, '
        '"error": {"code": "busy", "message": "taken", "hint": "wait"}}'
    )
    job_log = JobLog(tmp_path)
    assert job_log.begun("begun")
    assert not job_log.ended("begun")
    assert job_log.signed("begun") == SignedRequest("{}", "s", "c")
    assert job_log.begin("begun", SignedRequest("other", "", "")) == 1700000000.5
    outcome = job_log.outcome("failed", LogTail)
    assert outcome is not None
    assert outcome.error is not None
    assert (outcome.state, outcome.result) == (JobState.FAILED, None)
    assert (outcome.error.code, outcome.error.message) == ("busy", "taken")


def test_contents_stored_by_an_earlier_version_can_be_read(tmp_path: Path) -> None:
    (tmp_path / "cb").mkdir()
    (tmp_path / "cb" / f"{OLD}.644").write_text("old")
    (tmp_path / "handmade.jsonl").write_text(f'{{"job": "job1", "files": {{"a": {OLD_JSON}}}}}\n')
    store = ContentStore(tmp_path)
    assert store.holds(OLD_FILE)
    assert store.handmade() == [("job1", {"a": OLD_FILE})]
    store.sweep([])
    assert store.holds(OLD_FILE)


def test_downtimes_measured_by_an_earlier_version_count_in_the_estimate(tmp_path: Path) -> None:
    (tmp_path / "downtimes.json").write_text('{"deploy": [1.5, 3.2]}')
    assert DowntimeHistory(tmp_path).estimate("deploy") == "1-4 seconds"
