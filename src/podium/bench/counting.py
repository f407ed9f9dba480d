"""Who counts tokens of a text: the server's tokenize route, a tokenizer file, or the usage of a real answer."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Protocol

import httpx
import tokenizers

from podium.bench.dialect import Ask
from podium.bench.dialects import DIALECTS
from podium.bench.plan import Target
from podium.core.errors import InvalidRequest, NotFound, Unavailable

COUNT_SECONDS = 20.0


class TokenCounter(Protocol):
    """Counts what a model would see. ``source`` says who counts."""

    source: str

    def count(self, text: str) -> int:
        """Tokens of a prompt that is ``text``, template and special tokens included."""

    def plain(self, text: str) -> int | None:
        """Tokens of the text alone; None where this counter cannot know."""


class TokenizerFile:
    """A ``tokenizer.json``. It knows no chat template: for chat its counts are of the text alone."""

    def __init__(self, path: Path) -> None:
        file = path / "tokenizer.json" if path.is_dir() else path
        if not file.is_file():
            raise NotFound("--tokenizer: no tokenizer.json there; name the file or its folder")
        self._tokenizer = tokenizers.Tokenizer.from_file(str(file))
        self.source = f"file {file.name}"

    def count(self, text: str) -> int:
        """With special tokens."""
        return len(self._tokenizer.encode(text).ids)

    def plain(self, text: str) -> int | None:
        """Without special tokens."""
        return len(self._tokenizer.encode(text, add_special_tokens=False).ids)


class _Remote:
    def __init__(self, target: Target) -> None:
        self._target = target
        verify: Any = target.ca_file or target.verify_tls
        self._client = httpx.Client(
            base_url=target.url, headers=target.headers, timeout=COUNT_SECONDS, verify=verify, trust_env=False
        )

    def close(self) -> None:
        """Close its connection."""
        self._client.close()

    def _post(self, path: str, body: dict[str, Any]) -> Any:
        try:
            answer = self._client.post(path, json=body)
            return answer.raise_for_status().json()
        except httpx.HTTPStatusError as error:
            status = error.response.status_code
            raise InvalidRequest(f"the target answered {status} to {path} while prompts were prepared") from error
        except ValueError as error:
            raise InvalidRequest(f"the target's {path} does not answer with JSON") from error
        except httpx.HTTPError as error:
            raise Unavailable(f"the target did not answer {path} while prompts were prepared") from error


class TokenizeRoute(_Remote):
    """``/tokenize`` as Podium and vLLM have it."""

    source = "the target's /tokenize"

    def count(self, text: str) -> int:
        """As a prompt; as one user message for the chat dialect."""
        chat = self._target.dialect == "chat"
        what: dict[str, Any] = {"messages": [{"role": "user", "content": text}]} if chat else {"prompt": text}
        return self._ask({"model": self._target.model, **what})

    def plain(self, text: str) -> int | None:
        """Without special tokens."""
        return self._ask({"model": self._target.model, "prompt": text, "add_special_tokens": False})

    def _ask(self, body: dict[str, Any]) -> int:
        answer = self._post("/tokenize", body)
        count = answer.get("count") if isinstance(answer, dict) else None
        if not isinstance(count, int):
            raise InvalidRequest("the target's /tokenize answers without a count")
        return count


class UsageCount(_Remote):
    """The ``usage.prompt_tokens`` of real answers of one token."""

    source = "usage of the target's answers"

    def count(self, text: str) -> int:
        """By sending it."""
        dialect = DIALECTS[self._target.dialect]
        if not dialect.tells_usage:
            raise InvalidRequest("the answers of this API hold no usage; name a tokenizer file with --tokenizer")
        ask = Ask(text=text, output_tokens=1, ignore_eos=False, streamed=False)
        answer = self._post(dialect.path, dialect.body(ask, self._target.model))
        usage = answer.get("usage") if isinstance(answer, dict) else None
        count = usage.get("prompt_tokens") if isinstance(usage, dict) else None
        count = answer.get("input_length") if count is None and isinstance(answer, dict) else count
        if not isinstance(count, int):
            raise InvalidRequest("the target's answers hold no usage; name a tokenizer file with --tokenizer")
        return count

    def plain(self, text: str) -> int | None:  # noqa: ARG002 - an answer's usage is about prompts
        """Not known."""
        return None
