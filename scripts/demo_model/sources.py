"""Where the demo model's training text comes from.

Every source is documentation that a Debian 12 development machine can install.
The list names the package, the folder it unpacks to, how its files are read and
the licence its copyright file states.  Nothing is downloaded here: a source that
is not installed is skipped and the manifest says so.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

DOC = Path("/usr/share/doc")


@dataclass(frozen=True)
class Source:
    """One documentation package and how its files are found and read."""

    name: str
    package: str
    licence: str
    reader: str
    root: Path
    pattern: str

    def files(self) -> Iterator[Path]:
        """Yield the source's regular files in a fixed order."""
        if not self.root.is_dir():
            return
        seen: set[Path] = set()
        for path in sorted(self.root.glob(self.pattern)):
            real = path.resolve()
            if real in seen or not real.is_file():
                continue
            seen.add(real)
            yield path


def _html(name: str, package: str, licence: str, folder: str, pattern: str = "**/*.html") -> Source:
    return Source(name, package, licence, "html", DOC / folder, pattern)


# Only the general chapters of the kernel's documentation: a chapter per device
# teaches a small model nothing but part numbers.
_LINUX_PARTS = (
    "PCI",
    "RCU",
    "accounting",
    "admin-guide",
    "block",
    "bpf",
    "core-api",
    "cpu-freq",
    "crypto",
    "dev-tools",
    "doc-guide",
    "fault-injection",
    "filesystems",
    "kbuild",
    "kernel-hacking",
    "livepatch",
    "locking",
    "maintainer",
    "mm",
    "networking",
    "power",
    "process",
    "scheduler",
    "security",
    "timers",
    "tools",
    "trace",
    "userspace-api",
    "virt",
)

_GPL2 = "GPL-2.0-or-later"

SOURCES: tuple[Source, ...] = (
    _html("python", "python3.11-doc", "PSF-2.0", "python3.11/html"),
    Source(
        "python-docstrings",
        "libpython3.11-stdlib",
        "PSF-2.0",
        "docstrings",
        Path("/usr/lib/python3.11"),
        "**/*.py",
    ),
    _html("postgresql", "postgresql-doc-15", "PostgreSQL", "postgresql-doc-15/html"),
    _html("git", "git-doc", "GPL-2.0-only", "git/html"),
    _html("debian-handbook", "debian-handbook", "CC-BY-SA-3.0 or GPL-2.0-or-later", "debian-handbook/html/en-US"),
    _html("debian-reference", "debian-reference-en", _GPL2, "../debian-reference", "*.en.html"),
    _html("debian-policy", "debian-policy", _GPL2, "debian-policy"),
    _html("developers-reference", "developers-reference", _GPL2, "../developers-reference", "*.html"),
    _html("maint-guide", "maint-guide", _GPL2, "maint-guide"),
    _html("installation-guide", "installation-guide-amd64", "GPL-2.0-only", "installation-guide-amd64/en"),
    _html("aptitude", "aptitude-doc-en", _GPL2, "aptitude/html/en"),
    _html("apache", "apache2-doc", "Apache-2.0", "apache2-doc/manual/en"),
    _html("django", "python-django-doc", "BSD-3-Clause", "python-django-doc"),
    _html("sqlalchemy", "python-sqlalchemy-doc", "MIT", "python-sqlalchemy-doc"),
    _html("sqlite", "sqlite3-doc", "public domain", "sqlite3", "*.html"),
    _html("bind", "bind9-doc", "MPL-2.0", "bind9-doc"),
    _html("postfix", "postfix-doc", "IPL-1.0 or EPL-2.0", "postfix"),
    _html("exim", "exim4-doc-html", _GPL2, "exim4-doc-html"),
    _html("libvirt", "libvirt-doc", "LGPL-2.1-or-later", "libvirt-doc/html"),
    *(_html(f"linux-{part}", "linux-doc-6.1", "GPL-2.0-only", f"linux-doc-6.1/html/{part}") for part in _LINUX_PARTS),
    Source("docker", "docker-doc", "Apache-2.0", "markup", DOC / "docker-doc", "**/*.md"),
    Source("cmake", "cmake-data", "BSD-3-Clause", "markup", Path("/usr/share/cmake-3.25/Help"), "**/*.rst"),
    Source(
        "perl", "perl-doc", "Artistic-1.0-Perl or GPL-1.0-or-later", "pod", Path("/usr/share/perl/5.36.0"), "**/*.pod"
    ),
    *(
        Source(
            f"man{section}",
            "manpages, manpages-dev and installed programs",
            "several free licences, one per page",
            "man",
            Path(f"/usr/share/man/man{section}"),
            "*.gz",
        )
        for section in (1, 2, 3, 5, 7, 8)
    ),
)
