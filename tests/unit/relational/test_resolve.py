"""Which value holds, by code."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

from hypothesis import given
from hypothesis import strategies as st

from hippo_agent.relational.resolve import Claim, Interval, intervals, verdict

DAY = timedelta(days=1)
START = datetime(2024, 1, 1, tzinfo=timezone.utc)


def claim(value: str, day: int, *, seq: int | None = None, denied: bool = False, **more: object) -> Claim:
    return Claim(value=value, valid_from=START + day * DAY, seq=day if seq is None else seq, denied=denied, **more)  # type: ignore[arg-type]


def values(claims: list[Claim], day: int, *, functional: bool = True) -> tuple[str, ...]:
    return verdict(claims, functional=functional, at=START + day * DAY).values


def test_a_later_value_replaces_an_earlier_one_and_the_past_stays() -> None:
    claims = [claim("Rome", 1), claim("Porto", 5)]
    assert values(claims, 9) == ("Porto",)
    assert values(claims, 3) == ("Rome",)
    assert values(claims, 0) == ()
    assert intervals(claims, functional=True) == [
        Interval("Rome", START + DAY, START + 5 * DAY),
        Interval("Porto", START + 5 * DAY, None),
    ]


def test_the_order_of_recording_does_not_matter_when_the_world_time_is_said() -> None:
    assert values([claim("Porto", 5, seq=1), claim("Rome", 1, seq=2)], 9) == ("Porto",)


def test_of_two_claims_about_one_time_the_later_recorded_is_a_correction() -> None:
    assert values([claim("Rome", 1, seq=1), claim("Porto", 1, seq=2)], 9) == ("Porto",)


def test_after_a_retraction_nothing_holds_and_the_old_value_does_not_come_back() -> None:
    claims = [claim("Rome", 1), claim("Porto", 3), claim("Porto", 5, denied=True)]
    found = verdict(claims, functional=True, at=START + 9 * DAY)
    assert found.values == ()
    assert found.runner_up == "Porto"
    assert found.why == ("'Porto' was taken back on 2024-01-06 and nothing replaced it",)


def test_denying_what_does_not_hold_changes_nothing() -> None:
    assert values([claim("Porto", 3), claim("Rome", 5, denied=True)], 9) == ("Porto",)


def test_one_trace_that_says_two_things_is_a_conflict_unless_one_is_trusted_more() -> None:
    tie = [claim("Rome", 1, seq=7), claim("Porto", 1, seq=7)]
    found = verdict(tie, functional=True, at=START + 9 * DAY)
    assert found.conflict
    assert set(found.values) == {"Rome", "Porto"}
    trusted = [claim("Rome", 1, seq=7, trust=0.9), claim("Porto", 1, seq=7, trust=0.2)]
    assert values(trusted, 9) == ("Rome",)


def test_a_relation_with_several_values_keeps_them() -> None:
    claims = [claim("Ana", 1), claim("Bo", 2), claim("Ana", 4, denied=True)]
    assert values(claims, 3, functional=False) == ("Bo", "Ana")
    assert values(claims, 9, functional=False) == ("Bo",)


def test_an_end_that_was_said_ends_it() -> None:
    claims = [claim("Rome", 1, valid_until=START + 4 * DAY)]
    assert values(claims, 3) == ("Rome",)
    assert values(claims, 4) == ()


claims_of_any_kind = st.lists(
    st.builds(
        lambda value, day, seq, denied: claim(value, day, seq=seq, denied=denied),
        st.sampled_from("abc"), st.integers(0, 6), st.integers(0, 20), st.booleans(),
    ),
    max_size=12,
)  # fmt: skip


@given(claims_of_any_kind, st.randoms(use_true_random=False))
def test_the_same_claims_in_any_order_give_the_same_answer(claims: list[Claim], rng: object) -> None:
    shuffled = list(claims)
    rng.shuffle(shuffled)  # type: ignore[attr-defined]
    at = START + 9 * DAY
    assert verdict(claims, functional=True, at=at) == verdict(shuffled, functional=True, at=at)


@given(claims_of_any_kind)
def test_one_value_at_a_time_or_a_reported_conflict(claims: list[Claim]) -> None:
    for day in range(10):
        found = verdict(claims, functional=True, at=START + day * DAY)
        assert len(found.values) <= 1 or found.conflict


def test_untrusted_sources_never_replace_or_take_back_what_a_trusted_one_says() -> None:
    def claim(value: str, seq: int, trust: float, *, denied: bool = False, principal: str = "p") -> Claim:
        since = datetime(2024, 1, seq, tzinfo=timezone.utc)
        return Claim(value=value, valid_from=since, seq=seq, trust=trust, denied=denied, principal=principal)

    at = datetime(2024, 2, 1, tzinfo=timezone.utc)
    told = [claim("Rome", 1, 0.8), claim("Porto", 2, 0.2, principal="a"), claim("Porto", 3, 0.2, principal="b")]
    found = verdict(told, functional=True, at=at)
    assert (found.values, found.runner_up, found.conflict) == (("Rome",), "Porto", False)
    assert verdict([*told, claim("Rome", 4, 0.0, denied=True)], functional=True, at=at).values == ("Rome",)
    assert verdict([*told, claim("Ghent", 5, 0.5)], functional=True, at=at).values == ("Ghent",)
    assert verdict([*told, claim("Rome", 5, 0.8, denied=True)], functional=True, at=at).values == ()
    assert verdict(told[1:], functional=True, at=at).values == ("Porto",), "among untrusted ones the later wins"
    assert set(verdict(told, functional=False, at=at).values) == {"Rome", "Porto"}
