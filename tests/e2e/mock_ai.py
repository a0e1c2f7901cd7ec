"""The stand-in for the AI, as whoever plays its troubles sees it."""

import httpx2

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

    async def in_the_air(self) -> int:
        """Return how many calls wait for their answer."""
        return int((await self._calls())["in_the_air"])

    async def total(self) -> int:
        """Return how many calls there were."""
        return int((await self._calls())["total"])

    async def _calls(self) -> dict[str, int]:
        calls: dict[str, int] = (await self._http.get(f"{self.url}/calls")).raise_for_status().json()
        return calls
