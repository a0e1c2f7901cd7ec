"""What the tests of `tocsin up` share."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fixtures.up import Start, Up


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Start `tocsin up` in a folder of the test; all that is left of it at the end is ended."""
    runs: list[Up] = []

    def start(folder: str = "data", **environment: str) -> Up:
        with (tmp_path / f"screen-{len(runs)}").open("wb") as screen:
            runs.append(Up(tmp_path / folder, screen, environment))
        return runs[-1]

    yield start
    for run in runs:
        if run.process.poll() is None:
            run.process.terminate()
            run.process.wait(60)
