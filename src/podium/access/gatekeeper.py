"""Who a caller is, from what it shows: one answer for each request, and one refusal for every cause."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from podium.access import api_keys, key_record
from podium.access.key_directory import KeyDirectory
from podium.access.run_keys import DEPLOYER, MONITOR, read_run_key
from podium.access.tokens import KEY_ID_START, TokenRefused, TokenVerifier
from podium.config.access import Access
from podium.core.errors import Unauthenticated, Unavailable
from podium.core.identity import ANONYMOUS_TENANT, LOCAL, STRANGER, Principal

REFUSAL = "A valid key is required. Send it as `Authorization: Bearer KEY`."
NOT_LOADED_RETRY_SECONDS = 1.0


class Gatekeeper:
    """Knows callers by key, by token, or by where they are. Never waits; everything is in memory.

    ``directory`` and ``tokens`` are entered and left by their owner. ``clock`` gives Unix seconds, for the expiry
    of keys; that of tokens is checked against the system's clock.
    """

    def __init__(
        self,
        access: Access,
        directory: KeyDirectory,
        tokens: TokenVerifier | None = None,
        *,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._metrics_digest = _digest(access.metrics_key_file, "access.metrics_key_file")
        self._deploy_digest = _digest(access.deploy_key_file, "access.deploy_key_file")
        self._shadow_digest = _digest(access.shadow_key_file, "access.shadow_key_file")
        self._anonymous = access.anonymous
        self._directory = directory
        self._tokens = tokens
        self._clock = clock

    def identify(self, credentials: Sequence[str], *, local: bool) -> Principal:
        """The principal of the given keys or tokens (from every header that may hold one; empty: none given).

        ``local``: the caller is on this machine and meant to be. Raises ``Unauthenticated`` with one text for
        every cause, also when different credentials are given at once. As long as no key exists and no issuer
        is configured, there is nothing to check against: what does not claim to be a key of ours (clients
        often must send something) counts as not given. Raises ``Unavailable`` while the keys could not be
        read even once.
        """
        given = frozenset(credentials)
        if self._checks_nothing():
            given = frozenset(text for text in given if api_keys.claims_to_be_a_key(text))
        if not given:
            return self._without_credential(local=local)
        if len(given) > 1:
            raise Unauthenticated(REFUSAL)
        return self._with_credential(next(iter(given)))

    def renewed(self, earlier: Principal) -> Principal:
        """Who ``identify`` found ``earlier``, with the rights that it has now.

        Raises ``Unauthenticated`` when its key has ended since, also when another one took its place, and
        ``Unavailable`` as ``identify`` does. What a token allowed is not looked up again: its issuer tells nobody.
        """
        if earlier.tenant == ANONYMOUS_TENANT:
            return self.identify((), local=earlier == LOCAL)
        if earlier.key_id.startswith(KEY_ID_START) and self._tokens is not None:
            return earlier
        record = self._directory.find(earlier.key_id)
        if record is not None and record.tenant == earlier.tenant and record.is_valid(self._clock()):
            return key_record.principal(record)
        raise Unauthenticated(REFUSAL) if self._directory.loaded else _not_loaded()

    def is_copy(self, shown: str) -> bool:
        """Whether ``shown`` is the key that marks the gateway's own copies of requests."""
        return self._shadow_digest is not None and api_keys.matches(shown, self._shadow_digest)

    @property
    def ready(self) -> bool:
        """Whether callers can be told apart, or need not be: keys and key set have been read at least once."""
        known = self._directory.loaded and (self._tokens is None or self._tokens.loaded)
        return known or self._anonymous == "everywhere"

    def _checks_nothing(self) -> bool:
        return self._directory.loaded and not self._directory.has_keys and self._tokens is None

    def _without_credential(self, *, local: bool) -> Principal:
        if self._anonymous == "never":
            raise Unauthenticated(REFUSAL)
        if local and not self._directory.loaded:
            raise _not_loaded()
        if local and self._checks_nothing():
            return LOCAL
        if self._anonymous == "everywhere":
            return STRANGER
        raise Unauthenticated(REFUSAL)

    def _with_credential(self, text: str) -> Principal:
        if self._tokens is not None and not api_keys.claims_to_be_a_key(text):
            return self._of_token(self._tokens, text)
        key_id = api_keys.id_in(text)
        record = None if key_id is None else self._directory.find(key_id)
        is_the_key = api_keys.matches(text, api_keys.NO_DIGEST if record is None else record.digest)
        if record is not None and is_the_key and record.is_valid(self._clock()):
            return key_record.principal(record)
        if self._metrics_digest is not None and api_keys.matches(text, self._metrics_digest):
            return MONITOR
        if self._deploy_digest is not None and api_keys.matches(text, self._deploy_digest):
            return DEPLOYER
        if key_id is not None and not self._directory.loaded:
            raise _not_loaded()
        raise Unauthenticated(REFUSAL)

    def _of_token(self, tokens: TokenVerifier, text: str) -> Principal:
        if not tokens.loaded:
            raise _not_loaded()
        try:
            return tokens.verify(text)
        except TokenRefused:
            raise Unauthenticated(REFUSAL) from None


def _digest(path: str, setting: str) -> bytes | None:
    text = read_run_key(path, setting)
    return None if text is None else api_keys.digest_of(text)


def _not_loaded() -> Unavailable:
    return Unavailable(
        "This server has not been able to read its keys yet. Try again, or ask another replica.",
        retry_after_seconds=NOT_LOADED_RETRY_SECONDS,
    )
