"""Which ports are asked for a certificate, and what is known of one that does not answer."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from scar.projects import Project
from workers.engine.connection import Engine
from workers.engine.container import Container
from workers.watch import served_certificates
from workers.watch.alert_keeper import AlertKeeper
from workers.watch.host_checks import HostChecks
from workers.watch.served_certificates import NoAnswerError, NotTlsError, ServedCertificates

SOON = datetime(2026, 5, 1, tzinfo=UTC)
LATER = SOON + timedelta(days=60)
SILENT, PLAIN = NoAnswerError(), NotTlsError()


class Ports:
    """What listens on the ports of this machine; `asked` are those that were greeted."""

    def __init__(self) -> None:
        self.answers: dict[int, datetime | Exception] = {}
        self.asked: list[int] = []

    def certificate_end(self, address: tuple[str, int]) -> datetime:
        self.asked.append(address[1])
        answer = self.answers[address[1]]
        if isinstance(answer, Exception):
            raise answer
        return answer


@pytest.fixture
def ports(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Ports:
    ports = Ports()
    monkeypatch.setattr(served_certificates, "certificate_end", ports.certificate_end)
    monkeypatch.setattr(served_certificates, "_CONTAINER", tmp_path / "none")
    return ports


def container(id: str, numbers: Mapping[int, int]) -> Container:
    """Return a container with these ports inside, each published as another."""
    rows = [
        {"PrivatePort": inside, "PublicPort": outside, "Type": "tcp", "IP": "127.0.0.1"}
        for inside, outside in numbers.items()
    ]
    return Container.parse({"Id": id, "Names": [f"/{id}"], "State": "running", "Ports": rows})


def test_a_port_that_is_silent_for_a_round_counts_with_what_it_served_last(ports: Ports) -> None:
    row, certificates = container("c", {1: 7443, 2: 7444}), ServedCertificates()
    both = [(7443, SOON), (7444, LATER)]
    for answer in (SOON, SILENT, SILENT, SOON, SILENT, SILENT):
        ports.answers = {7443: answer, 7444: LATER}
        served = certificates.ask([row])["c"]
        assert (sorted(served.ends), served.whole) == (both, True)
    assert ports.asked.count(7443) == 6, "it has served one in between"
    served = certificates.ask([row])["c"]
    assert (served.ends, served.whole) == ([(7444, LATER)], True), "silent for three rounds"
    ports.answers = {7443: PLAIN, 7444: PLAIN}
    assert certificates.ask([row])["c"].ends == [], "it serves none any more"


def test_a_silent_port_of_which_nothing_is_known_leaves_an_alert_as_it_is(ports: Ports) -> None:
    row, certificates = container("c", {1: 443, 2: 7444}), ServedCertificates()
    ports.answers = {443: SILENT, 7444: LATER}
    served = [certificates.ask([row])["c"] for _ in range(3)]
    assert [one.whole for one in served] == [False, False, True]
    ports.answers[443] = PLAIN
    assert ServedCertificates().ask([row])["c"].whole


def test_a_port_that_is_likely_to_serve_a_certificate_is_asked_first(ports: Ports) -> None:
    plain = {n: 20_000 + n for n in range(1, 120)}
    ports.answers = dict.fromkeys((*plain.values(), 443), PLAIN)
    rows = [container("plain", plain), container("tls", {5000: 443})]
    certificates = ServedCertificates()
    certificates.ask(rows)
    assert (ports.asked[0], len(ports.asked)) == (443, 100)
    assert certificates.ask([rows[1]])["tls"].whole


def test_in_a_container_the_host_is_asked_where_its_own_loopback_serves_none(
    ports: Ports, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def addresses(*_: object) -> list[tuple[str, int]]:
        return [("127.0.0.1", 7001), ("172.17.0.1", 7002)]

    monkeypatch.setattr(served_certificates, "published_addresses", addresses)
    ports.answers = {7001: PLAIN, 7002: SOON}
    row = container("c", {1: 7443})
    assert ServedCertificates().ask([row])["c"].ends == []
    monkeypatch.setattr(served_certificates, "_CONTAINER", tmp_path)
    assert ServedCertificates().ask([row])["c"].ends == [(7443, SOON)]


def test_an_alert_stays_while_a_port_that_may_serve_a_certificate_is_silent(
    ports: Ports, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    settled: list[tuple[int, int]] = []
    keeper = SimpleNamespace(settle=lambda _, *rows: settled.append((len(rows[0]), len(rows[1]))))
    project = Project("shop", tmp_path, tmp_path, "shop", ("c",))
    checks = HostChecks(
        cast("AlertKeeper", keeper),
        Engine("unix:///nowhere/docker.sock"),
        lambda: {"shop": project},
        tmp_path,
        wall=lambda: (SOON - timedelta(days=5)).timestamp(),
    )
    row = container("c", {1: 443, 2: 7444})
    monkeypatch.setattr(checks, "_containers", SimpleNamespace(all=lambda: [row]))
    for answer in (SILENT, SOON, SILENT, LATER):
        ports.answers = {443: answer, 7444: LATER}
        checks.check_certificates()
    assert settled == [(0, 1), (1, 0), (1, 0), (0, 0)], "problems, and what is not known"
