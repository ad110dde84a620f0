"""The hub: an exported folder becomes a commit of a repository there."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from mlrecipe.errors import MlrecipeError, RequestError
from mlrecipe.secrecy import conceal, redact

TOKEN = "HF_TOKEN"  # noqa: S105  # the name of a variable
"""The environment variable that has the user's token; no other place is looked at."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Where on the hub a model goes."""

    repo: str
    """`organisation/name`, or `user/name`."""

    revision: str | None = None
    """A branch; it is made where it is not there. None: the main one."""

    is_private: bool = False
    """Whether a new repository is seen by its owners alone; one that is there stays as it is."""


def check(target: Target) -> None:
    """Raise unless a model can go there as far as can be told without asking the hub.

    Raises:
        RequestError: the name is none of a repository, there is no token, or the hub must not be asked.
    """
    from huggingface_hub import constants, errors
    from huggingface_hub.utils import validate_repo_id  # type: ignore[attr-defined]  # documented

    try:
        validate_repo_id(target.repo)
    except errors.HFValidationError as error:
        raise RequestError(f"{target.repo!r} is no name of a repository", key="--repo") from error
    if "/" not in target.repo:
        message = f"{target.repo!r} does not say whose repository it is"
        raise RequestError(message, key="--repo", hint=f"write it as you/{target.repo}")
    if constants.is_offline_mode():
        raise RequestError(
            "an export to the hub asks it, which --offline and HF_HUB_OFFLINE=1 forbid"
        )
    _token()


def push(folder: Path, target: Target, *, message: str) -> str:
    """Upload all files of a folder in one commit; gives the commit's address.

    The repository is made where it is not there. Files of it that the folder does not have stay.

    Raises:
        RequestError: it was to be private, is there already, and is not.
        MlrecipeError: the hub refuses, or cannot be reached.
    """
    from huggingface_hub import HfApi

    api = HfApi(token=_token(), library_name="mlrecipe")
    with _explained(target):
        api.create_repo(target.repo, private=target.is_private, exist_ok=True)
        if target.is_private and not api.repo_info(target.repo).private:
            raise RequestError(
                f"the repository {target.repo!r} is there already, and everybody sees it",
                key="--private",
                hint="nothing was uploaded: leave --private out, or make it private on the hub first",
            )
        if target.revision is not None:
            api.create_branch(target.repo, branch=target.revision, exist_ok=True)
        done = api.upload_folder(
            repo_id=target.repo,
            folder_path=folder,
            revision=target.revision,
            commit_message=message,
        )
    return str(done.commit_url)


def address() -> str:
    """The hub's address, as `HF_ENDPOINT` may have it."""
    from huggingface_hub import constants

    return str(constants.ENDPOINT)


def _token() -> str:
    token = os.environ.get(TOKEN, "").strip()
    if not token:
        raise RequestError(
            f"the environment variable {TOKEN} is not set",
            hint="make a token that may write at https://huggingface.co/settings/tokens",
        )
    return conceal(token)


@contextmanager
def _explained(target: Target) -> Iterator[None]:
    from huggingface_hub import errors

    # The HTTP library's own error, whichever library the hub's uses.
    transport: tuple[type[Exception], ...] = errors.HfHubHTTPError.__bases__
    others: tuple[type[Exception], ...] = (*transport, ValueError, KeyError, OSError)
    try:
        yield
    except errors.HfHubHTTPError as error:
        status = error.response.status_code
        if status in (401, 403):
            hint = f"the token in {TOKEN} may not write there"
            raise MlrecipeError(
                f"the hub refuses {target.repo!r}: {_first(error)}", hint=hint
            ) from error
        raise MlrecipeError(f"the hub did not take {target.repo!r}: {_first(error)}") from error
    except others as error:
        raise MlrecipeError(f"cannot upload to {address()}: {_first(error)}") from error


def _first(error: Exception) -> str:
    """The first line of an error's text that says something."""
    lines = [line for line in str(error).splitlines() if re.search(r"\w", line)]
    return redact(lines[0].strip().rstrip(".")) if lines else type(error).__name__
