"""Is a folder on a file system of the network? SQLite's log needs all its processes on one host."""

from __future__ import annotations

from pathlib import Path

__all__ = ["network_filesystem"]

_MOUNTS = Path("/proc/self/mounts")  # Linux; elsewhere nothing is said
_NETWORK = frozenset(
    {"nfs", "nfs4", "cifs", "smb", "smb2", "smb3", "smbfs", "afs", "ncpfs", "ceph", "glusterfs", "lustre", "beegfs"}
    | {"fuse.sshfs", "fuse.s3fs", "fuse.gcsfuse", "fuse.rclone", "fuse.glusterfs", "fuse.ceph", "fuse.davfs", "davfs"}
)  # fmt: skip


def network_filesystem(folder: Path, mounts: Path = _MOUNTS) -> str | None:
    """The type of the file system when it is one of the network, such as "nfs4"; None when it is not, or not known."""
    try:
        lines = mounts.read_text(encoding="utf-8", errors="replace").splitlines()
        whole = folder.resolve()
    except OSError:
        return None
    found, longest = "", -1
    for entry in (line.split() for line in lines):
        if len(entry) < 3:
            continue
        point = Path(entry[1].replace("\\040", " "))
        if (point == whole or point in whole.parents) and len(point.parts) >= longest:
            found, longest = entry[2], len(point.parts)
    return found if found in _NETWORK else None
