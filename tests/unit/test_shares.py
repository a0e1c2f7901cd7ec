"""How tests are shared among processes."""

from typing import cast

import pytest

from tests.fixtures.shares import DEAR, arrange


class Named:
    """What is asked of a test."""

    def __init__(self, *fixturenames: str) -> None:
        self.fixturenames = fixturenames


def items(*groups: tuple[str, int]) -> list[pytest.Item]:
    return [cast("pytest.Item", Named(name)) for name, count in groups for _ in range(count)]


@pytest.mark.parametrize("processes", [1, 2, 3, 4])
def test_every_test_is_run_once_and_what_is_dear_by_one_process_and_first(processes: int) -> None:
    tests = items(("database_url", 50), (DEAR[0], 5), (DEAR[1], 8), ("servers", 40), (DEAR[2], 3))

    arranged = arrange(tests, processes)

    assert sorted(map(id, arranged)) == sorted(map(id, tests))
    share = len(tests) // processes
    for name in DEAR:
        places = [number for number, item in enumerate(arranged) if name in cast("Named", item).fixturenames]
        assert {place // share for place in places} == {DEAR.index(name) % processes}
        assert all(place % share < 5 + 8 + 3 for place in places)


def test_more_of_what_is_dear_than_a_share_holds_is_run_too() -> None:
    tests = items((DEAR[0], 9), ("servers", 1), (DEAR[1], 1))

    assert sorted(map(id, arrange(tests, 3))) == sorted(map(id, tests))
