"""Every error that hippo-agent raises on purpose.

    HippoError
    +-- ConfigError (ValueError)          a setting that cannot be used
    +-- InvalidInput (ValueError)         an argument that cannot be stored or searched
    |   +-- TooLarge                      text past the size limit
    |   +-- InvalidVector                 NaN, infinite, zero or wrong-dimension vector
    +-- TraceNotFound (KeyError)          no such trace id
    +-- StorageError (OSError)            the folder or the database cannot be used
    |   +-- CorruptMemory                 damaged, foreign or truncated database
    |   +-- StorageFull                   no space left on the device
    |   +-- ReadOnlyMemory                the folder can be read but not written
    |   +-- MemoryClosed                  used after close()
    |   +-- MigrationError                written by a newer version, or a migration failed
    |   +-- Locked                        another process holds what is needed
    |   +-- IndexBroken                   a derived index is broken (never leaves Memory: it is rebuilt)
    +-- ModelError (RuntimeError)
    |   +-- ModelUnavailable              embedder or model weights are not here
    |   +-- EmbedderMismatch              the bank was written with another embedder
    |   +-- OutOfMemory                   the model or its input does not fit into memory
    |   +-- ReaderError                   a reader cannot give exact results here
    |       +-- ReaderMismatch            a reader that was trained for another base
    |   +-- AdapterError                  a trained adapter is missing, damaged or of another base
    |   +-- NothingToTeach                the base can read none of what a night would teach
    +-- UntrustedReplay (PermissionError) what did not pass the selection reached the trainer
    +-- ImportFailed (ValueError)         a line of an import file is not a trace
    +-- DataError (ValueError)            an evaluation file is not of the expected format
    +-- MissingExtra (ImportError)        an optional dependency is not installed

Messages name the offending thing with ``!r`` and end with the remedy.
"""

from __future__ import annotations

__all__ = [
    "AdapterError",
    "ConfigError",
    "CorruptMemory",
    "DataError",
    "EmbedderMismatch",
    "HippoError",
    "ImportFailed",
    "IndexBroken",
    "InvalidInput",
    "InvalidVector",
    "Locked",
    "MemoryClosed",
    "MigrationError",
    "MissingExtra",
    "ModelError",
    "ModelUnavailable",
    "NothingToTeach",
    "OutOfMemory",
    "ReadOnlyMemory",
    "ReaderError",
    "ReaderMismatch",
    "StorageError",
    "StorageFull",
    "TooLarge",
    "TraceNotFound",
    "UntrustedReplay",
]


class HippoError(Exception):
    """Base of all errors raised on purpose."""


class ConfigError(HippoError, ValueError):
    """A setting that cannot be used."""


class InvalidInput(HippoError, ValueError):
    """An argument that cannot be stored or searched; nothing was changed."""


class TooLarge(InvalidInput):
    """A text past the size limit; split it into episodes or raise the limit."""


class InvalidVector(InvalidInput):
    """A vector with NaN, infinity, zero norm or the wrong dimension."""


class TraceNotFound(HippoError, KeyError):
    """No trace has this id (never written, or forgotten)."""

    def __str__(self) -> str:  # KeyError would print the repr of the message
        return str(self.args[0]) if self.args else ""


class StorageError(HippoError, OSError):
    """The memory folder or its database cannot be used."""


class CorruptMemory(StorageError):
    """The database is damaged, truncated or not ours; it was not written to."""


class StorageFull(StorageError):
    """No space left on the device; what was acknowledged before is safe."""


class ReadOnlyMemory(StorageError):
    """The folder can be read but not written."""


class MemoryClosed(StorageError):
    """The memory was used after ``close()``."""


class MigrationError(StorageError):
    """The database is of a newer format, or a migration failed and was rolled back."""


class Locked(StorageError):
    """Another process holds what is needed."""


class IndexBroken(StorageError):
    """A derived index failed its checks. Memory catches it, serves exact search and rebuilds."""


class ModelError(HippoError, RuntimeError):
    """A model cannot do what was asked."""


class ModelUnavailable(ModelError):
    """Weights are not on this machine and cannot be fetched."""


class EmbedderMismatch(ModelError):
    """The bank holds vectors of another embedder; vectors are never mixed."""


class OutOfMemory(ModelError):
    """The model, or what it was given, does not fit into the memory of its device."""


class ReaderError(ModelError):
    """A reader cannot give exact results with this model, setting or input; it refuses instead of guessing."""


class ReaderMismatch(ReaderError):
    """The reader was trained for another base model."""


class AdapterError(ModelError):
    """A trained adapter is missing, damaged or of another base; the one before can serve."""


class NothingToTeach(ModelError):
    """The base can read none of what a night would teach; nothing was trained."""


class UntrustedReplay(HippoError, PermissionError):
    """What did not pass the selection reached the trainer; nothing was trained."""


class ImportFailed(HippoError, ValueError):
    """A line of an import file is not a valid trace; nothing of the file was imported."""


class DataError(HippoError, ValueError):
    """An evaluation file does not have the expected format."""


class MissingExtra(HippoError, ImportError):
    """An optional dependency is not installed."""
