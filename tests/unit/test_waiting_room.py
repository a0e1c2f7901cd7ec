"""So many may wait, and so many of one caller."""

from contextlib import ExitStack
from datetime import UTC, datetime
from uuid import UUID

import pytest

from tocsin.errors import Overloaded, RateLimited
from tocsin.services.access import Caller, InboxCaller, ServiceCaller
from tocsin.services.waiting_room import WaitingRoom


def key(number: int) -> ServiceCaller:
    return ServiceCaller(UUID(int=number), frozenset(), b"")


def user(number: int) -> InboxCaller:
    return InboxCaller(UUID(int=number), datetime.max.replace(tzinfo=UTC))


@pytest.mark.parametrize("caller", [key(1), user(1)])
def test_a_caller_who_has_all_his_places_gets_no_other_and_takes_none_from_others(caller: Caller) -> None:
    room = WaitingRoom(10, 2)
    with room.place(caller), room.place(caller):
        with pytest.raises(RateLimited, match="2 calls") as caught, room.place(caller):
            pass
        assert caught.value.policies == ("waits",)
        with room.place(key(2)), room.place(user(2)):
            pass
    with room.place(caller):
        pass


def test_where_all_places_are_taken_nobody_gets_one() -> None:
    room = WaitingRoom(3, 2)
    with ExitStack() as stack:
        for number in range(3):
            stack.enter_context(room.place(key(number)))
        with pytest.raises(Overloaded), room.place(key(9)):
            pass
    with room.place(key(9)):
        pass


def test_a_wait_that_breaks_off_gives_its_place_back() -> None:
    room = WaitingRoom(1, 1)
    for _ in range(3):
        with pytest.raises(ZeroDivisionError), room.place(key(1)):
            raise ZeroDivisionError
