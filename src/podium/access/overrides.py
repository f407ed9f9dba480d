"""Quotas that were set while servers run, over those of the configuration."""

from __future__ import annotations

from typing import Literal

import msgspec

from podium.core.identity import Quotas

OverrideKind = Literal["tenant", "model"]


class QuotaOverrides(msgspec.Struct, frozen=True):
    """Quotas by tenant and by model. An entry stands in place of the configured one, as a whole."""

    tenants: dict[str, Quotas] = {}
    models: dict[str, Quotas] = {}

    def of(self, kind: OverrideKind) -> dict[str, Quotas]:
        """The entries of one kind."""
        return self.tenants if kind == "tenant" else self.models
