"""The Chromium of the system; none is ever downloaded."""

import os
import shutil

# The first has no window to draw, and takes a third of the time.
NAMES = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
VARIABLE = "TOCSIN_TEST_CHROMIUM"
FLAGS = (
    "--no-sandbox",  # which a container, or root, does not have
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


def find_chromium() -> str:
    """Return the path of the browser.

    Raises:
        RuntimeError: there is none; it says how to get one.
    """
    given = os.environ.get(VARIABLE)
    found = given or next((path for path in map(shutil.which, NAMES) if path), None)
    if found is None or not os.access(found, os.X_OK):
        raise RuntimeError(
            f"The tests of the inbox need Chromium{f', which is not at {given}' if given else ''}. Debian and Ubuntu: "
            f"apt-get install chromium-headless-shell. Elsewhere set {VARIABLE} to the path of a Chromium or Chrome."
        )
    return found
