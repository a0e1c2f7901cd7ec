"""The stand-in for the AI, as whoever plays its troubles sees it."""

import httpx2

from tests.e2e.programs import WITHIN
from tests.waiting import eventually

WELL = {"error_rate": 0, "garbage_rate": 0, "busy_rate": 0, "hang_rate": 0}


class MockAi:
    """Turns the knobs of one and reads its counters."""

    def __init__(self, http: httpx2.AsyncClient, url: str) -> None:
        self._http = http
        self.url = url

    async def turn(self, **knobs: float) -> None:
        """Turn knobs; those not named stay. Calls in the air go on as they began."""
        (await self._http.put(f"{self.url}/knobs", json=knobs)).raise_for_status()

    async def answer_in(self, seconds: float) -> None:
        """Be well, and answer what is asked from now on after so long."""
        await self.turn(**WELL, delay_min=seconds, delay_max=seconds)

    async def holds(self, count: int) -> None:
        """Wait until so many calls wait for their answer."""
        await self._counts("in_the_air", count)

    async def was_asked(self, times: int) -> None:
        """Wait until there were so many calls since its start."""
        await self._counts("total", times)

    async def _counts(self, counter: str, number: int) -> None:
        async def probe() -> bool:
            calls = (await self._http.get(f"{self.url}/calls")).raise_for_status().json()
            assert calls[counter] == number, calls
            return True

        await eventually(probe, WITHIN)
