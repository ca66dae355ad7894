"""Which services are replaced without downtime, and which reason is given for the others."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, cast
from unittest.mock import MagicMock

import pytest

from scar.commands.ways_view import offer_lines, score_lines, way_lines
from scar.errors import ScarError
from scar.jobs.results.history import ReleaseRow
from scar.jobs.results.ways import PLAIN, STAND_IN, ServiceWay, all_plain, estimate_without_downtime
from scar.projects import Project
from tests.support.job_context import job_context, settings_in
from workers.deployment import restart_ways
from workers.deployment.eligibility import (
    FixedPort,
    Surroundings,
    diverted_ports,
    is_asked_for,
    reason_against,
)
from workers.deployment.memory import with_memory_notes
from workers.deployment.takeover import Takeover
from workers.deployment.ways import NO_WAYS, plan_ways
from workers.engine.compose_config import ComposeConfig
from workers.engine.connection import Engine
from workers.engine.container import Container, Port
from workers.engine.containers import Containers
from workers.engine.stand_in_config import stand_in_config
from workers.engine.usage_counters import UsageCounters

RUNNING = Container(
    id="1" * 64, name="shop-web-1", project="shop", service="web", image="shop-web",
    image_id="sha256:1", state="running", health="healthy", exit_code=None,
    ports=(Port(80, "tcp", 8080),), depends_on={}, config_hash="a", oneoff=False,
    working_dir="/srv/shop", replaces="",
)  # fmt: skip
SEEN = Surroundings(checked=frozenset({"web"}), drivers={"shop_default": "bridge"})
PORT = {"mode": "ingress", "target": 80, "published": "8080", "protocol": "tcp"}
WEB = {"image": "shop-web", "networks": {"default": None}, "ports": [PORT]}
DATA = {"type": "volume", "source": "data", "target": "/data"}


def config_of(**web: Any) -> ComposeConfig:
    services = {"web": {**WEB, **web}}
    networks = {"default": {"name": "shop_default"}}
    resolved = {"name": "shop", "services": services, "networks": networks}
    return ComposeConfig.parse(resolved, {}, {"web"})


def reason(
    web: dict[str, Any] | None = None,
    *,
    containers: tuple[Container, ...] = (RUNNING,),
    seen: Surroundings = SEEN,
    named: bool = False,
) -> str:
    return reason_against(config_of(**(web or {})), "web", containers, seen, named=named)


def test_a_service_with_a_name_and_a_port_of_its_own_can_have_a_stand_in() -> None:
    assert reason({"container_name": "shop"}) == ""


@pytest.mark.parametrize(
    ("web", "why"),
    [
        ({"ports": [{"target": 53, "published": "53", "protocol": "udp"}]}, "UDP"),
        ({"ports": [{"target": 80, "published": "80-90", "protocol": "tcp"}]}, "range"),
        (
            {"ports": [{"target": 80, "published": "80", "host_ip": "fd00::1"}]},
            "its port is bound to one IPv6 address",
        ),
        ({"network_mode": "host"}, "its network is host"),
        ({"privileged": True}, "it is privileged"),
        ({"pid": "host"}, "it shares a namespace (`pid`)"),
        ({"devices": ["/dev/kvm"]}, "it has `devices`"),
        ({"deploy": {"replicas": 2}}, "it runs 2 times"),
        ({"scale": 3}, "it runs 3 times"),
        ({"volumes": [DATA]}, "it writes to data"),
        ({"volumes": [{"type": "bind", "source": "/run/docker.sock", "read_only": True}]}, ".sock"),
        ({"image": "docker.io/bitnami/postgresql:16"}, "it is a database"),
        ({"healthcheck": {"disable": True}}, "no health check"),
    ],
)
def test_the_reason_is_given_for_a_service_that_cannot_have_a_stand_in(
    web: dict[str, Any], why: str
) -> None:
    assert why in reason(web)


@pytest.mark.parametrize(
    ("seen", "why"),
    [
        (replace(SEEN, image_volumes={"web": ("/var/lib/x",)}), "its image keeps data in /var/lib"),
        (replace(SEEN, drivers={"shop_default": "macvlan"}), "network shop_default is no bridge"),
        (replace(SEEN, drivers={}), "network shop_default is not there yet"),
        (replace(SEEN, networks_change=True), "its networks change"),
        (replace(SEEN, checked=frozenset()), "no health check"),
        (replace(SEEN, unable="rootless Docker"), "rootless Docker"),
    ],
)
def test_a_stand_in_can_be_ruled_out_by_what_the_engine_reports(
    seen: Surroundings, why: str
) -> None:
    assert why in reason(seen=seen)


def test_a_deploy_that_has_begun_does_not_look_for_what_could_be_offered(tmp_path: Path) -> None:
    """Only a question offers stand-ins; a look starts the program that would divert."""
    project = Project("shop", tmp_path / "workspace", tmp_path / "production", "shop")
    context = job_context("deploy", {}, settings_in(tmp_path), project=project)
    context.engine = Engine(f"unix://{tmp_path}/none.sock")
    context.containers = Containers(context.engine)
    with pytest.raises(ScarError, match="sock"):
        plan_ways(context, config_of(), [RUNNING], ["web"], ())
    context.begun_at = 1.0
    assert plan_ways(context, config_of(), [RUNNING], ["web"], ()) == NO_WAYS


@pytest.mark.parametrize("image", ["mongo-express:1", "vaultwarden/server", "me/redis-page"])
def test_an_image_whose_name_only_contains_that_of_a_database_can_have_a_stand_in(
    image: str,
) -> None:
    assert reason({"image": image}) == ""


def test_a_named_service_may_share_a_volume_but_not_that_of_its_image() -> None:
    assert reason({"volumes": [DATA]}, named=True) == ""
    assert "a database" in reason({"image": "redis:7", "volumes": [DATA]}, named=True)
    assert "keeps data" in reason(
        seen=replace(SEEN, image_volumes={"web": ("/var/lib/x",)}), named=True
    )


def test_a_service_that_does_not_run_needs_no_stand_in() -> None:
    assert reason(containers=(replace(RUNNING, state="exited"),)) == "it does not run"
    assert reason(containers=(RUNNING, RUNNING)) == "it runs 2 times"


def test_only_a_port_that_this_container_publishes_now_is_diverted() -> None:
    more = [*WEB["ports"], {"target": 81, "published": "9090", "protocol": "tcp"}]
    assert diverted_ports(config_of(ports=more), "web", RUNNING) == [FixedPort(8080, 80)]
    assert diverted_ports(config_of(), "web", replace(RUNNING, ports=())) == []


def test_a_port_of_the_same_number_on_another_address_is_not_diverted() -> None:
    own = replace(RUNNING, ports=(Port(80, "tcp", 8080, "127.0.0.1"),))
    everywhere = replace(RUNNING, ports=(Port(80, "tcp", 8080, "0.0.0.0"),))
    for address, of_own in (("127.0.0.1", True), ("192.0.2.7", False), ("", False)):
        config = config_of(ports=[{**PORT, "host_ip": address}])
        port = [FixedPort(8080, 80, address)]
        assert diverted_ports(config, "web", own) == (port if of_own else [])
        assert diverted_ports(config, "web", everywhere) == port


def test_an_invalid_address_never_becomes_a_firewall_rule() -> None:
    for address in ("127.0.0.1 accept; x", "127.1", "localhost"):
        port = {**PORT, "host_ip": address}
        assert reason({"ports": [port]}) == "its port is bound to what is no address"


def test_a_service_that_a_program_of_the_host_provides_is_refused() -> None:
    with pytest.raises(ScarError, match="would run it on the host itself"):
        config_of(provider={"type": "/srv/shop/run.sh"})


@pytest.mark.parametrize(
    ("wanted", "labels", "expected"),
    [
        (None, {}, (False, False)),
        (True, {}, (True, False)),
        (("web",), {}, (True, True)),
        (("api",), {}, (False, False)),
        (None, {"scar.zero_downtime": "true"}, (True, True)),
        (True, {"scar.zero_downtime": "false"}, (False, False)),
        (False, {"scar.zero_downtime": "true"}, (False, False)),
    ],
)
def test_a_service_is_asked_for_by_the_projects_file_or_by_its_label(
    wanted: Any, labels: dict[str, str], expected: tuple[bool, bool]
) -> None:
    assert is_asked_for(wanted, config_of(labels=labels), "web") == expected


def test_a_stand_in_has_no_fixed_name_port_or_address() -> None:
    config = config_of(
        container_name="shop",
        restart="always",
        build={"context": "."},
        depends_on={"db": {"condition": "service_started"}},
        deploy={"replicas": 1, "resources": {"limits": {"memory": "64M"}}},
        networks={"default": {"ipv4_address": "172.18.0.7", "aliases": ["www"]}},
        volumes=[DATA],
    )
    made = stand_in_config(
        config, "web", volumes={"shop_data"}, networks={"default": "shop_default"}
    )
    web = made["services"].pop("web")
    assert web == {
        "image": "shop-web",
        "pull_policy": "never",
        "deploy": {"resources": {"limits": {"memory": "64M"}}},
        "networks": {"default": {"aliases": ["www", "shop"]}},
        "ports": [{"mode": "ingress", "target": 80, "protocol": "tcp"}],
        "volumes": [DATA],
    }
    assert made["services"] == {}
    assert made["networks"] == {"default": {"name": "shop_default", "external": True}}
    assert config.resolved["services"]["web"]["container_name"] == "shop"


def test_the_plan_says_of_each_service_how_it_will_be_and_why() -> None:
    ways = (ServiceWay("mail", PLAIN, "UDP"), ServiceWay("web", STAND_IN))
    assert way_lines(ways, "0-2 seconds") == [
        "mail: 0-2 seconds of downtime (UDP)",
        "web: no downtime (stand-in)",
    ]
    tight = replace(ways[1], why="needs 900 MiB of memory twice, 500 MiB are free")
    assert way_lines((tight,), None) == [f"web: no downtime (stand-in; {tight.why})"]
    assert estimate_without_downtime(ways) is None
    assert estimate_without_downtime(ways[1:]) == "none"
    assert all_plain(ways, "no room")[1] == ServiceWay("web", PLAIN, "no room")
    assert "zero_downtime" in offer_lines(("web",))[0]


def test_the_plan_says_where_memory_does_not_suffice_for_both() -> None:
    ways = (ServiceWay("mail", PLAIN, "UDP"), ServiceWay("web", STAND_IN))

    def noted(memory: int) -> tuple[ServiceWay, ...]:
        counters = UsageCounters(0, memory, 0, 0, 0, 0)
        return with_memory_notes(ways, [RUNNING], lambda _: counters)

    assert noted(1) == ways
    assert [way.why.partition(" MiB of memory twice, ")[0] for way in noted(2**60)] == [
        "UDP",
        "needs 1099511627776",
    ]


@pytest.mark.parametrize("reason", ["", "no room"])
def test_a_restart_begins_once_the_requests_before_it_are_answered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, reason: str
) -> None:
    class Beginning:
        ended = 0

        def begin(self, *_: object) -> str:
            return reason

        def let_requests_end(self) -> None:
            self.ended += 1

    monkeypatch.setattr(restart_ways, "Production", MagicMock())
    takeover, ways = Beginning(), (ServiceWay("web", STAND_IN),)
    context = job_context("restart", {}, settings_in(tmp_path))
    begun = restart_ways.begin_stand_ins(context, cast(Takeover, takeover), [RUNNING], ways)
    assert begun == (all_plain(ways, reason) if reason else ways)
    assert takeover.ended == (0 if reason else 1)


def test_the_history_says_how_often_the_downtime_was_as_said() -> None:
    row = ReleaseRow(
        "01J", "2026-01-01T00:00:00Z", "Ada", None, None, 2.0, 0.0, None, ("web",), 1,
        forecast="none",
    )  # fmt: skip
    rows = (
        row,
        replace(row, downtime=0.4),
        replace(row, forecast="0-2 seconds", downtime=2.0),
        replace(row, forecast="none, connections wait about 1 s", waited=0.9),
        replace(row, forecast="none, connections wait about 1 s", waited=1.2),
        replace(row, forecast=None),
        replace(row, downtime=None),
    )
    assert [known.as_said for known in rows] == [True, False, True, True, False, None, None]
    assert score_lines(rows) == ["🎯 Downtime as said: 3 of 5"]
    assert score_lines(rows[5:]) == []
