"""Run inside a new mount namespace: build the pod's root, give up every privilege, become the pod's program."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

_NEEDED_FILES = ("/etc/ld.so.cache", "/etc/nsswitch.conf", "/etc/hosts", "/etc/localtime")


def _mount(*words: str) -> None:
    subprocess.run(["mount", *words], check=True)  # noqa: S607


def _bind(source: str, target: Path) -> None:
    _mount("--rbind", source, str(target))
    _mount("-o", "remount,bind,ro", str(target))


def _place(root: Path, mount: dict[str, Any], group: int) -> None:
    target = root / str(mount["path"]).lstrip("/")
    target.mkdir(parents=True, exist_ok=True)
    _mount("-t", "tmpfs", "-o", f"mode=0770,uid=0,gid={group}", "tmpfs", str(target))
    for name, text in mount["files"].items():
        path = target / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        os.chown(path, 0, group)
        path.chmod(mount["mode"] or 0o444)
    if not mount["writable"]:
        _mount("-o", "remount,ro", str(target))


def main(plan: dict[str, Any]) -> None:
    """Never returns: the pod's program takes this process's place."""
    _mount("--make-rprivate", "/")
    root = Path(plan["root"])
    _mount("-t", "tmpfs", "-o", "mode=0755", "tmpfs", str(root))
    for name in plan["bound"]:
        source, target = Path("/", name), root / name
        if source.is_symlink():
            target.symlink_to(source.readlink())
        elif source.is_dir():
            target.mkdir()
            _bind(str(source), target)
    for name in ("proc", "dev", "sys"):
        (root / name).mkdir()
        _mount("--rbind", f"/{name}", str(root / name))
    for name in ("etc", "var", "tmp"):
        (root / name).mkdir()
    for file in filter(os.path.exists, _NEEDED_FILES):
        (root / file.lstrip("/")).write_bytes(Path(file).read_bytes())
    with (root / "etc/hosts").open("a") as names:
        names.writelines(f"127.0.0.1 {name}\n" for name in plan["hosts"])
    for mount in plan["mounts"]:
        _place(root, mount, plan["group"])
    for program in plan["programs"]:
        target = root / program.lstrip("/")
        if not target.exists():  # in a home folder, or where the pod has a volume
            target.mkdir(parents=True, exist_ok=True)
            _bind(program, target)
    _mount("-o", "remount,ro", str(root))
    os.chroot(root)
    os.chdir("/")
    who = ["--reuid", str(plan["user"]), "--regid", str(plan["group"]), "--clear-groups"]
    privileges = ["--inh-caps=-all", "--bounding-set=-all", "--no-new-privs"]
    os.execvpe("setpriv", ["setpriv", *who, *privileges, *plan["program"]], plan["environment"])  # noqa: S606, S607


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
