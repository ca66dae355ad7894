"""Each rule with containers at the limits of its conditions."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from scar.projects import Project
from workers.engine.container import Container, ContainerDetails
from workers.engine.disk_usage import usage_of
from workers.state.roster import Death
from workers.watch.observer import ContainerView
from workers.watch.rules.certificate import certificate
from workers.watch.rules.disk import DiskSample, disk
from workers.watch.rules.exit_words import exit_words
from workers.watch.rules.judge import judge
from workers.watch.served_certificates import ServedCertificates

NOW = 1_000_000.0
STEADY = 60.0
_RUNNING = ContainerDetails(
    id="c" * 64,
    name="shop-web-1",
    image="shop-web",
    state="running",
    health=None,
    started_at=None,
    finished_at=None,
    exit_code=0,
    restart_count=0,
    oom_killed=False,
    restart_policy="no",
    stop_timeout=10,
    tty=False,
    has_health_check=False,
    publishes=False,
    error="",
)
_VIEW = ContainerView(
    project=Project("shop", Path("/w/shop"), Path("/srv/shop"), "shop"),
    name="shop-web-1",
    service="web",
    details=_RUNNING,
    expected=True,
    is_to_run=True,
    asked=False,
    deaths=(),
    at=NOW,
)


def running(**changes: object) -> ContainerDetails:
    """Return a container that runs, with these changes."""
    return replace(_RUNNING, **changes)  # type: ignore[arg-type]


def _rule(view: ContainerView) -> str | None:
    problem = judge(view, steady_seconds=STEADY)
    return problem.rule if problem else None


def _ended(code: int, **changes: object) -> ContainerView:
    details = replace(_RUNNING, state="exited", exit_code=code, **changes)  # type: ignore[arg-type]
    return replace(_VIEW, details=details)


def _deaths(*seconds_ago: float, code: int = 1, out_of_memory: bool = False) -> tuple[Death, ...]:
    return tuple(Death(NOW - ago, code, out_of_memory) for ago in seconds_ago)


def test_a_running_container_has_no_problem() -> None:
    assert _rule(_VIEW) is None
    assert _rule(replace(_VIEW, details=replace(_RUNNING, health="healthy"))) is None
    assert _rule(replace(_VIEW, details=replace(_RUNNING, health="starting"))) is None
    assert _rule(replace(_VIEW, details=replace(_RUNNING, state="paused"))) is None


def test_a_failing_health_check_is_told_with_what_it_said() -> None:
    sick = replace(_RUNNING, health="unhealthy", probe_output=("connection refused",))
    problem = judge(replace(_VIEW, details=sick), steady_seconds=STEADY)
    assert problem is not None
    assert (problem.rule, "connection refused" in problem.why) == ("unhealthy", True)


@pytest.mark.parametrize("changes", [{"publishes": True}, {"restart_policy": "always"}, {}])
def test_an_end_without_error_is_told_unless_the_container_was_to_end(
    changes: dict[str, object],
) -> None:
    assert _rule(_ended(0, **changes)) == ("exited" if changes else None)
    assert _rule(_ended(1, **changes)) == "exited"


def test_a_container_that_ended_before_it_was_watched_raises_no_alert() -> None:
    assert _rule(replace(_ended(1), is_to_run=False)) is None


def test_a_stop_by_hand_is_a_warning_that_says_so() -> None:
    problem = judge(replace(_ended(137), asked=True), steady_seconds=STEADY)
    assert problem is not None
    assert (problem.severity, problem.what) == ("warning", "was stopped by hand")


def test_exit_code_137_alone_does_not_mean_out_of_memory() -> None:
    killed = judge(_ended(137), steady_seconds=STEADY)
    ran_out = judge(_ended(137, oom_killed=True), steady_seconds=STEADY)
    assert killed is not None
    assert ran_out is not None
    assert (killed.rule, ran_out.rule) == ("exited", "out_of_memory")
    assert "SIGKILL" in killed.why


def test_an_out_of_memory_alert_stays_open_until_the_container_has_run_for_a_while() -> None:
    assert _rule(replace(_VIEW, deaths=_deaths(59, out_of_memory=True))) == "out_of_memory"
    assert _rule(replace(_VIEW, deaths=_deaths(61, out_of_memory=True))) is None
    assert _rule(replace(_VIEW, deaths=_deaths(5))) is None


def test_a_loop_is_three_ends_within_ten_minutes_and_counts_them() -> None:
    assert _rule(replace(_VIEW, deaths=_deaths(40, 5))) is None
    assert _rule(replace(_VIEW, deaths=_deaths(700, 40, 5))) is None
    problem = judge(replace(_VIEW, deaths=_deaths(90, 40, 20, 5, code=2)), steady_seconds=STEADY)
    assert problem is not None
    assert (problem.rule, problem.count) == ("restart_loop", 4)
    assert "4 times within 85 s" in problem.why
    assert "exit code 2" in problem.why


def test_a_loop_is_over_once_the_container_has_run_for_a_while() -> None:
    assert _rule(replace(_VIEW, deaths=_deaths(90, 80, 61))) is None
    between = replace(_RUNNING, state="restarting", restart_count=9)
    assert _rule(replace(_VIEW, details=between, deaths=_deaths(90, 80, 61))) == "restart_loop"


def test_a_new_watcher_uses_the_engines_restart_count() -> None:
    between = replace(_RUNNING, state="restarting", restart_count=3, exit_code=1)
    assert _rule(replace(_VIEW, details=between)) == "restart_loop"
    assert _rule(replace(_VIEW, details=replace(between, restart_count=2))) is None
    long_ago = replace(_RUNNING, restart_count=20)
    assert _rule(replace(_VIEW, details=long_ago)) is None


def test_a_container_that_was_removed_is_gone_where_it_is_expected() -> None:
    assert _rule(replace(_VIEW, details=None)) == "gone"
    assert _rule(replace(_VIEW, details=None, expected=False)) is None


@pytest.mark.parametrize(
    ("code", "words"),
    [
        *((0, "without an error"), (1, "exit code 1"), (127, "was not there")),
        *((139, "segmentation"), (143, "SIGTERM"), (129, "SIGHUP"), (255, "signal 127")),
    ],
)
def test_an_exit_is_told_in_words(code: int, words: str) -> None:
    assert words in exit_words(code)


def _samples(*free_gib: float, hours: float = 1.0, total_gib: float = 100.0) -> list[DiskSample]:
    return [
        DiskSample(NOW + number * hours * 3600, int(free * 2**30), int(total_gib * 2**30))
        for number, free in enumerate(free_gib)
    ]


def test_a_disk_is_told_of_by_when_it_is_full() -> None:
    growing = disk("/var", _samples(20, 19, 18))
    assert growing is not None
    assert (growing.severity, growing.what) == ("warning", "has a disk that is full in 18 h")
    assert "18.0 of 100 GiB are free, and 1.0 GiB an hour" in growing.why
    fast = disk("/var", _samples(20, 10))
    assert fast is not None
    assert (fast.severity, fast.what) == ("critical", "has a disk that is full in 1 h")


def test_what_a_build_writes_at_once_does_not_fill_the_disk_up() -> None:
    minutes = [20.0] * 120 + [20.0 - built for built in range(1, 9)] + [12.0] * 60
    for number in range(40, len(minutes) + 1):
        assert disk("/var", _samples(*minutes[:number], hours=1 / 60)) is None


def test_a_disk_that_something_begins_to_fill_is_told_within_the_half_hour() -> None:
    minutes = [20.0] * 120 + [20.0 - 0.2 * minute for minute in range(20)]
    problem = disk("/var", _samples(*minutes, hours=1 / 60))
    assert problem is not None
    assert problem.severity == "critical"


def test_a_disk_without_any_room_is_told() -> None:
    problem = disk("/var", _samples(20, 0))
    assert problem is not None
    assert (problem.severity, problem.what) == (
        "critical",
        "has a disk that is full in less than 1 h",
    )


@pytest.mark.parametrize(
    "samples",
    [
        _samples(20),
        _samples(20, 20),
        _samples(20, 21),
        _samples(80, 70),
        _samples(20, 10, hours=0.4),
        _samples(30, 29),
    ],
)
def test_a_disk_that_is_full_late_or_never_is_left_alone(samples: list[DiskSample]) -> None:
    assert disk("/var", samples) is None


def test_a_disk_that_is_almost_full_is_told_however_slowly_it_fills() -> None:
    for free, severity in ((5, "warning"), (0.5, "critical")):
        problem = disk("/var", _samples(free))
        assert problem is not None
        assert problem.severity == severity


@pytest.mark.parametrize(
    ("days", "what"),
    [
        (22, None),
        (20.9, "within 21 days"),
        (6.9, "within 7 days"),
        (0.9, "within 1 day"),
        (-1, "has ended"),
    ],
)
def test_a_certificate_is_told_of_in_three_steps(days: float, what: str | None) -> None:
    now = datetime(2026, 5, 1, tzinfo=UTC)
    problem = certificate(443, now + timedelta(days=days), now)
    assert (problem is None) == (what is None)
    assert problem is None or (what or "") in problem.what


def test_docker_says_what_a_prune_frees() -> None:
    usage = usage_of(
        {
            "LayersSize": 1000,
            "Images": [
                {"Containers": 0, "RepoTags": ["<none>:<none>"], "Size": 300, "SharedSize": 100},
                {"Containers": 0, "RepoTags": ["shop:1"], "Size": 300, "SharedSize": -1},
                {"Containers": 1, "RepoTags": None, "Size": 300},
            ],
            "Containers": [{"State": "running", "SizeRw": 5}, {"State": "exited", "SizeRw": 7}],
            "Volumes": [{"UsageData": {"Size": 50}}, {"UsageData": None}],
            "BuildCache": [{"Size": 30, "InUse": False}, {"Size": 40, "InUse": True}],
        }
    )
    assert (usage.total, usage.freed) == (1000 + 12 + 50 + 70, 200 + 7 + 30)


def test_every_published_port_is_asked_for_its_certificate_and_a_plain_one_three_times(
    tmp_path: Path,
) -> None:
    end = datetime.now(UTC).replace(microsecond=0) + timedelta(days=5)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(_self_signed(tmp_path / "pair.pem", end))
    greeted: list[int] = []

    def serve(listener: socket.socket, *, plain: bool) -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with contextlib.suppress(OSError), connection:
                if plain:
                    greeted.append(len(connection.recv(1)))
                    connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
                else:
                    context.wrap_socket(connection, server_side=True).recv(1)

    with (
        socket.create_server(("127.0.0.1", 0)) as secure,
        socket.create_server(("127.0.0.1", 0)) as plain,
    ):
        for listener in (secure, plain):
            kind = {"plain": listener is plain}
            threading.Thread(target=serve, args=(listener,), kwargs=kind, daemon=True).start()
        tls, http = (one.getsockname()[1] for one in (secure, plain))
        ports = [
            {"PrivatePort": inside, "PublicPort": port, "Type": "tcp", "IP": "127.0.0.1"}
            for inside, port in ((5001, tls), (80, http), (81, 1))
        ]
        row = Container.parse({"Id": "c", "Names": ["/web"], "State": "running", "Ports": ports})
        certificates = ServedCertificates()
        for _ in range(4):
            assert certificates.ask([row])["c"].ends == [(tls, end)]
        assert len(greeted) == 3
        certificates.ask([])  # another container takes its place
        assert certificates.ask([row])["c"].ends == [(tls, end)]
        assert len(greeted) == 4


def _self_signed(path: Path, end: datetime) -> Path:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "shop.example")])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(end - timedelta(days=10))
        .not_valid_after(end)
        .sign(key, hashes.SHA256())
    )
    secret = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    path.write_bytes(secret + made.public_bytes(serialization.Encoding.PEM))
    return path
