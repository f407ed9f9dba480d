"""What one interval counted on both arms: a 2x2 table."""

from __future__ import annotations

import msgspec


class Stratum(msgspec.Struct, frozen=True):
    """Attempts and bad attempts of the stable and the canary arm, of the same stretch of time.

    Raises:
        ValueError: a count is negative, or an arm has more bad attempts than attempts.
    """

    stable_attempts: int = 0
    stable_bad: int = 0
    canary_attempts: int = 0
    canary_bad: int = 0

    def __post_init__(self) -> None:
        for arm, attempts, bad in (
            ("stable", self.stable_attempts, self.stable_bad),
            ("canary", self.canary_attempts, self.canary_bad),
        ):
            if not 0 <= bad <= attempts:
                raise ValueError(f"{arm}: {bad} bad of {attempts} attempts; needed: 0 <= bad <= attempts")

    def __add__(self, other: Stratum) -> Stratum:
        return Stratum(
            self.stable_attempts + other.stable_attempts,
            self.stable_bad + other.stable_bad,
            self.canary_attempts + other.canary_attempts,
            self.canary_bad + other.canary_bad,
        )
