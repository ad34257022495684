from hypothesis import given
from hypothesis import strategies as st

from hippo_agent.episodic.strategies import Always, Informative, Novel, Rewarded, Rule, Surprising
from hippo_agent.types import Signals

signals = st.builds(
    Signals,
    surprise=st.floats(0, 1),
    novelty=st.floats(0, 1),
    reward=st.floats(-1, 1),
    information=st.floats(0, 200),
)
leaves = st.one_of(
    st.builds(Surprising, st.floats(0, 1)),
    st.builds(Novel, st.floats(0, 1)),
    st.builds(Rewarded, st.floats(0, 1)),
    st.builds(Informative, st.floats(0, 200)),
    st.just(Always()),
)
rules: st.SearchStrategy[Rule] = st.recursive(
    leaves,
    lambda inner: st.one_of(
        st.builds(lambda a, b: a & b, inner, inner),
        st.builds(lambda a, b: a | b, inner, inner),
        st.builds(lambda a: ~a, inner),
    ),
    max_leaves=6,
)


def test_each_leaf_looks_at_its_signal() -> None:
    """A threshold is reached by an equal value; a reward counts whatever its sign."""
    seen = Signals(surprise=0.4, novelty=0.2, reward=-0.7, information=12.0)

    assert Surprising(0.4)(seen) and not Surprising(0.41)(seen)
    assert Novel(0.2)(seen) and not Novel(0.3)(seen)
    assert Rewarded(0.7)(seen) and not Rewarded(0.8)(seen)
    assert Informative(12.0)(seen) and not Informative(12.1)(seen)


@given(rules, rules, signals)
def test_rules_are_an_algebra(a: Rule, b: Rule, seen: Signals) -> None:
    """& and | are and and or, ~ is not, and De Morgan holds."""
    assert (a & b)(seen) == (a(seen) and b(seen))
    assert (a | b)(seen) == (a(seen) or b(seen))
    assert (~a)(seen) != a(seen)
    assert (~(a & b))(seen) == (~a | ~b)(seen)
    assert (~(a | b))(seen) == (~a & ~b)(seen)
