"""The inbox that `tocsin up` shows and `tocsin demo` fills."""

from typing import Final

DEMO_USER_ID: Final = "018f2f6e-7c1a-7a53-9d2b-3f1f4a6c8e01"
"""Its user: the one whom the walk in README.md writes to, so that what is tried there is seen there."""
