"""Read the documentation sources and write the training and held-out text.

Usage: ``python corpus.py --out BUILD``.  Writes ``train.jsonl`` and
``heldout.jsonl`` (one ``{"kind", "text"}`` object per line) and ``sources.json``,
the manifest of what was read.  The split is by whole document: a document whose
path hashes into the held-out share gives no text at all to the training side.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import random
import subprocess
from dataclasses import asdict, dataclass, field
from pathlib import Path

from chat import conversations, question_and_answer, small_talk
from clean import fingerprint, is_prose, normalise
from readers import READERS, Document
from sources import SOURCES, Source

SEED = 20240
HELD_OUT_PER_MILLE = 25
MIN_PARAGRAPHS = 2
SMALL_TALK_COPIES = 150


@dataclass
class Tally:
    """What one source contributed."""

    name: str
    package: str
    licence: str
    versions: dict[str, str]
    files: int = 0
    bytes: int = 0
    sha256: str = ""
    documents: int = 0
    documents_held_out: int = 0
    paragraphs: int = 0
    characters: int = 0
    conversations: int = 0


@dataclass
class Writer:
    """Collect the two sides of the split, dropping paragraphs seen before."""

    rng: random.Random
    train: list[dict[str, str]] = field(default_factory=list)
    held_out: list[dict[str, str]] = field(default_factory=list)
    seen: set[bytes] = field(default_factory=set)

    def _fresh(self, text: str) -> bool:
        key = fingerprint(text)
        if key in self.seen:
            return False
        self.seen.add(key)
        return True

    def add(self, document: Document, tally: Tally) -> None:
        """Clean one document and put it on its side of the split."""
        cleaned = (normalise(text) for text in document.paragraphs)
        kept = [text for text in cleaned if is_prose(text) and self._fresh(text)]
        pairs = [pair for seed in document.seeds if (pair := question_and_answer(seed, self.rng))]
        pairs = [pair for pair in pairs if self._fresh(f"{pair[0]} {pair[1]}")]
        talks = conversations(pairs, self.rng)
        if len(kept) < MIN_PARAGRAPHS and not talks:
            return
        held = is_held_out(document.name)
        side = self.held_out if held else self.train
        if len(kept) >= MIN_PARAGRAPHS:
            side.append({"kind": "prose", "text": "\n\n".join(kept)})
        side.extend({"kind": "chat", "text": talk} for talk in talks)
        tally.documents += 1
        tally.documents_held_out += held
        tally.paragraphs += len(kept)
        tally.characters += sum(map(len, kept)) + sum(map(len, talks))
        tally.conversations += len(talks)


def is_held_out(name: str) -> bool:
    """Tell whether a document of this path belongs to the held-out share."""
    digest = hashlib.sha256(name.encode()).digest()
    return int.from_bytes(digest[:4], "big") % 1000 < HELD_OUT_PER_MILLE


def package_versions(packages: str) -> dict[str, str]:
    """Return the installed version of each Debian package in a comma-separated list."""
    out: dict[str, str] = {}
    for package in (part.strip().split(" ")[0] for part in packages.split(",")):
        command = ["dpkg-query", "-W", "-f=${Version}", package]
        found = subprocess.run(command, capture_output=True, text=True, check=False)
        if found.returncode == 0:
            out[package] = found.stdout.strip()
    return out


def read_source(source: Source, writer: Writer) -> Tally:
    """Read one source's files into ``writer`` and describe them."""
    tally = Tally(source.name, source.package, source.licence, package_versions(source.package))
    digest = hashlib.sha256()
    for path in source.files():
        if path.name.startswith("gcloud"):
            continue
        raw = path.read_bytes()
        digest.update(f"{path.relative_to(source.root)} {hashlib.sha256(raw).hexdigest()}\n".encode())
        tally.files += 1
        tally.bytes += len(raw)
        try:
            document = READERS[source.reader](path)
        except (SyntaxError, ValueError, EOFError) as error:
            print(f"  skipped {path}: {error}")
            continue
        document.name = f"{source.name}/{path.relative_to(source.root)}"
        writer.add(document, tally)
    tally.sha256 = digest.hexdigest()
    return tally


def _write_jsonl(path: Path, rows: list[dict[str, str]]) -> dict[str, int | str]:
    text = "".join(json.dumps(row) + "\n" for row in rows)
    path.write_text(text, encoding="utf-8")
    return {
        "rows": len(rows),
        "characters": sum(len(row["text"]) for row in rows),
        "sha256": hashlib.sha256(text.encode()).hexdigest(),
    }


def main() -> None:
    """Build both sides of the corpus and its manifest."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--out", type=Path, required=True)
    out: Path = arguments.parse_args().out
    out.mkdir(parents=True, exist_ok=True)
    rng = random.Random(SEED)  # noqa: S311
    writer = Writer(rng)
    tallies = []
    for source in SOURCES:
        tally = read_source(source, writer)
        print(
            f"{tally.name}: {tally.files} files, {tally.paragraphs} paragraphs, "
            f"{tally.characters} characters, {tally.conversations} conversations"
        )
        tallies.append(asdict(tally))
    writer.train.extend({"kind": "chat", "text": talk} for talk in small_talk(rng, SMALL_TALK_COPIES))
    rng.shuffle(writer.train)
    manifest = {
        "seed": SEED,
        "held_out_per_mille": HELD_OUT_PER_MILLE,
        "sources": tallies,
        "train": _write_jsonl(out / "train.jsonl", writer.train),
        "held_out": _write_jsonl(out / "heldout.jsonl", writer.held_out),
    }
    (out / "sources.json").write_text(json.dumps(manifest, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
