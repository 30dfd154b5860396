"""One exception tree: what went wrong, with an exit code for the shell and a status for HTTP.

Read it top to bottom, it is the whole list::

    AegleError                 1   500
    ├── UsageError             2   400   a command, option or question that makes no sense
    │   ├── SettingsError      2   400   an unknown or ill-typed setting
    │   └── NotFoundError      3   404   no such document, entity, workspace, plugin
    ├── InputError             4   422   a source that can't be read
    │   └── UnsafeInputError   4   422   a source refused for safety: bombs, loops, entities
    ├── PrivacyError           5   403   text that may hold identifiers was about to leave
    ├── WorkspaceError         6   500   the workspace folder is damaged, too new, or full
    │   └── WorkspaceBusyError 7   409   another process owns the workspace
    ├── BackendError           8   502   a store, model or server didn't answer as it should
    ├── MissingExtraError      9   501   a package that an extra installs is absent
    ├── StoppedError          10   503   long work was stopped; what was done is kept
    └── BusyError             11   429   too much is waiting; ask again later

A message says what was wrong, what was given and what to do. It never quotes a document's text.
"""

from __future__ import annotations

from typing import ClassVar


class AegleError(Exception):
    """The root: everything Aegle raises on purpose."""

    exit_code: ClassVar[int] = 1
    http_status: ClassVar[int] = 500


class UsageError(AegleError):
    """The request itself makes no sense."""

    exit_code = 2
    http_status = 400


class SettingsError(UsageError):
    """A setting is unknown or has a value of the wrong kind."""


class NotFoundError(UsageError):
    """Something named by the caller does not exist."""

    exit_code = 3
    http_status = 404


class InputError(AegleError):
    """A source can't be read; it goes to quarantine with this message as its reason."""

    exit_code = 4
    http_status = 422


class UnsafeInputError(InputError):
    """A source is refused for safety: decompression bombs, link loops, XML entities."""


class PrivacyError(AegleError):
    """Text that may hold identifiers was about to reach a place that must not see it."""

    exit_code = 5
    http_status = 403


class WorkspaceError(AegleError):
    """The workspace folder is missing, damaged, too new for this version, or the disk is full."""

    exit_code = 6
    http_status = 500


class WorkspaceBusyError(WorkspaceError):
    """Another process owns the workspace and did not let go in time."""

    exit_code = 7
    http_status = 409


class BackendError(AegleError):
    """A store, a model or a server did not answer as it should."""

    exit_code = 8
    http_status = 502


class MissingExtraError(AegleError):
    """A package is absent that one of Aegle's extras installs."""

    exit_code = 9
    http_status = 501

    def __init__(self, package: str, extra: str) -> None:
        super().__init__(
            f"this needs the package {package!r}, which is not installed; "
            f"run: pip install 'aegle[{extra}]'"
        )


class StoppedError(AegleError):
    """Long work was stopped half-way; what was done is kept and can be gone on from.

    Unless ``resumes`` is False: then it begins anew.
    """

    exit_code = 10
    http_status = 503

    def __init__(self, message: str, *, resumes: bool = True) -> None:
        super().__init__(message)
        self.resumes = resumes


class BusyError(AegleError):
    """More is waiting than can be done in time; nothing of the request was begun.

    ``retry_after_s``: when it is worth asking again, in seconds.
    """

    exit_code = 11
    http_status = 429
    retry_after_s = 1.0

    def __init__(self, message: str, *, retry_after_s: float = 1.0) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s
