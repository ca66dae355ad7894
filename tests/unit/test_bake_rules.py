"""The bake rules find planted regressions, and find nothing in healthy deploys."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import pytest

from workers.state.bake_state import BakeState, ContainerHistory
from workers.watch.bake_rules import (
    SETTLING_SECONDS,
    Behaviour,
    Worsening,
    whole_minutes,
    worsenings,
)

MIB = 1 << 20
BAKE = 600


def poisson(chance: random.Random, expected: float) -> int:
    """Return a count by Knuth's method."""
    limit, product, count = math.exp(-expected), chance.random(), 0
    while product > limit:
        product, count = product * chance.random(), count + 1
    return count


@dataclass(frozen=True)
class Service:
    """How a made-up service behaves: crashes and flaps an hour, error lines a minute, MiB that it
    takes, and how much of that more a minute.
    """

    crashes: float = 0.0
    flaps: float = 0.0
    errors: float = 0.0
    memory: float = 100.0
    growth: float = 0.0

    @classmethod
    def any(cls, chance: random.Random) -> Service:
        return cls(
            crashes=chance.choice((0, 0, 0, 0.2, 1)),
            flaps=chance.choice((0, 0, 0, 0.2, 1)),
            errors=chance.choice((0, 0, 0.05, 0.5, 3, 20)),
            memory=chance.uniform(5, 800),
        )

    def before(self, chance: random.Random, seconds: float) -> Behaviour:
        minutes = [poisson(chance, self.errors * load(n)) for n in range(60)]
        memory = [int(self.memory * MIB * (1 + 0.1 * load(n) * chance.random())) for n in range(60)]
        hours = seconds / 3600
        return Behaviour(
            seconds,
            poisson(chance, self.crashes * hours),
            poisson(chance, self.flaps * hours),
            tuple(minutes),
            tuple(memory),
        )

    def after(self, chance: random.Random, seconds: int) -> Behaviour:
        """As `before`, warming up in the first minutes, under a load that rises to the double."""
        minutes = range(1, seconds // 60)
        samples = range(SETTLING_SECONDS, seconds, 10)
        return Behaviour(
            seconds,
            poisson(chance, self.crashes * seconds / 3600),
            poisson(chance, self.flaps * seconds / 3600),
            tuple(poisson(chance, self.errors * load(n) * (1 + n / 10)) for n in minutes),
            tuple(int(MIB * self._memory_at(at, chance)) for at in samples),
        )

    def _memory_at(self, at: int, chance: random.Random) -> float:
        warm = 1 - 0.5 * math.exp(-at / 80)
        return self.memory * warm * chance.uniform(1, 1.05) + self.growth * at / 60


def load(minute: int) -> float:
    return 1 + 0.5 * math.sin(minute / 7)


def looks(
    before: Behaviour, service: Service, chance: random.Random, *, more_memory: float = 1.0
) -> Iterator[Worsening]:
    """Yield what is said to be worse, at each look of a bake of ten minutes."""
    whole = replace(service, memory=service.memory * more_memory).after(chance, BAKE)
    for seconds in range(60, BAKE + 1, 30):
        share = seconds / BAKE
        seen = replace(
            whole,
            seconds=seconds,
            deaths=round(whole.deaths * share),
            flaps=round(whole.flaps * share),
            errors=whole.errors[: max(0, seconds // 60 - 1)],
            memory=whole.memory[: max(0, (seconds - SETTLING_SECONDS) // 10)],
        )
        yield from worsenings(before, seen)


def test_of_two_hundred_healthy_deploys_under_load_none_is_undone() -> None:
    chance = random.Random(20)
    undone, told = [], []
    for number in range(200):
        for _ in range(3):  # services of each
            service = Service.any(chance)
            before = service.before(chance, chance.choice((600, 3600, 86_400)))
            # a new release may take more memory than the one before, once it is warm
            seen = list(looks(before, service, chance, more_memory=chance.uniform(0.8, 1.6)))
            undone += [(number, worse) for worse in seen if worse.sure]
            told += [(number, worse) for worse in seen if not service.crashes + service.flaps]
    assert not undone
    assert not told


PLANTED: dict[str, Callable[[Service], Service]] = {
    "exits": lambda service: replace(service, crashes=max(120, service.crashes * 60)),
    "health": lambda service: replace(service, flaps=max(60, service.flaps * 40)),
    "errors": lambda service: replace(service, errors=max(0.5, service.errors) * 10),
    "memory": lambda service: replace(service, growth=max(12, service.memory * 0.1)),
}


@pytest.mark.parametrize("rule", PLANTED)
def test_every_planted_regression_is_seen_within_the_bake(rule: str) -> None:
    chance = random.Random(rule)
    missed = []
    for number in range(50):
        healthy = replace(Service.any(chance), crashes=0, flaps=0)
        healthy = replace(healthy, errors=max(0.5, healthy.errors))
        before = healthy.before(chance, 3600)
        seen = looks(before, PLANTED[rule](healthy), chance)
        if not any(worse.sure and worse.rule == rule for worse in seen):
            missed.append((number, healthy))
    assert not missed


def test_one_crash_is_worse_than_none_and_not_worse_than_one_an_hour() -> None:
    never, often = Behaviour(3600), Behaviour(3600, deaths=1)
    (seen,) = worsenings(never, Behaviour(90, deaths=1))
    assert (seen.what, seen.sure) == ("has ended once by itself, never before", False)
    assert not worsenings(often, Behaviour(90, deaths=1))
    (seen,) = worsenings(often, Behaviour(600, deaths=4))
    assert seen.what == "has ended 4 times by itself, once in all the time before"
    (seen,) = worsenings(never, Behaviour(120, deaths=2))
    assert seen.sure
    (seen,) = worsenings(never, Behaviour(40, deaths=1, down=True))
    assert (seen.what, seen.sure) == ("does not run, never before", True)


def test_a_container_that_nobody_knew_before_is_judged_by_its_ends_alone() -> None:
    grown = tuple(n * 10 * MIB for n in range(54))
    assert not worsenings(Behaviour(0), Behaviour(600, errors=(99,) * 9, memory=grown))
    assert worsenings(Behaviour(0), Behaviour(600, deaths=1))


def test_a_single_traceback_is_no_finding() -> None:
    before = Behaviour(3600, errors=(0,) * 60)
    assert not worsenings(before, Behaviour(600, errors=(0, 60, 0, 0, 0, 0, 0, 0, 0)))


def test_only_whole_minutes_within_a_time_count() -> None:
    assert whole_minutes([(0, 1), (60, 2), (120, 3), (180, 4)], 30, 190) == (2, 3)


def test_containers_of_long_ago_are_forgotten_but_for_those_that_are_down() -> None:
    day, state = 86_400.0, BakeState()
    state.histories = {
        "idle": ContainerHistory(0.0, deaths=[1.0]),
        "down": ContainerHistory(0.0, down=True),
        "crashing": ContainerHistory(0.0, deaths=[day + n for n in range(500)]),
    }
    state.forget_old(2 * day)
    assert set(state.histories) == {"down", "crashing"}
    assert len(state.histories["crashing"].deaths) == 100
    for number in range(1000):
        state.history(f"shop-run-{number}", 2 * day + number)
    state.forget_old(2 * day + 1000)
    assert len(state.histories) == 200
    assert "shop-run-999" in state.histories
