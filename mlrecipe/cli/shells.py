"""`mlrecipe completion`: the scripts by which shells ask what a word may become."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from mlrecipe.cli import render
from mlrecipe.cli.entry import COMPLETE
from mlrecipe.errors import RequestError, did_you_mean

# The program that is run is the one on the line, so that each environment answers for itself.
_BASH = r"""
_mlrecipe_complete() {
    local program=$1 line=${COMP_LINE:0:COMP_POINT} candidate
    type -P -- "$program" >/dev/null || program=mlrecipe
    COMPREPLY=()
    while IFS= read -r candidate; do
        COMPREPLY+=("$candidate")
    done < <("$program" COMPLETE bash "$line" "$2" 2>/dev/null)
    if [[ ${COMPREPLY[0]} == *[=./] ]]; then
        compopt -o nospace 2>/dev/null
    fi
}
complete -F _mlrecipe_complete mlrecipe
"""

_ZSH = r"""
#compdef mlrecipe
_mlrecipe() {
    local program=${(Q)words[1]} value about
    local -a whole open
    (( $+commands[$program] )) || [[ -x $program ]] || program=mlrecipe
    while IFS=$'\t' read -r value about; do
        local shown=${value//:/\\:}${about:+:$about}
        if [[ $value == *[=./] ]]; then open+=($shown); else whole+=($shown); fi
    done < <($program COMPLETE zsh "${(j: :)words[1,CURRENT-1]} $QIPREFIX$PREFIX" 2>/dev/null)
    _describe -V mlrecipe whole -- open -S ''
}
if [[ $zsh_eval_context[-1] == loadautofunc ]]; then
    _mlrecipe "$@"
else
    (( $+functions[compdef] )) || { autoload -Uz compinit && compinit }
    compdef _mlrecipe mlrecipe
fi
"""

_FISH = r"""
function __mlrecipe_complete
    set -l program (commandline -opc)[1]
    command -sq -- $program; or set program mlrecipe
    $program COMPLETE fish (commandline -cp | string collect) 2>/dev/null
end
complete -c mlrecipe -f -a '(__mlrecipe_complete)'
"""

SCRIPTS = {
    name: text.strip().replace("COMPLETE", COMPLETE)
    for name, text in {"bash": _BASH, "zsh": _ZSH, "fish": _FISH}.items()
}
"""Shell → what it has to read once."""

Shell = Annotated[
    str,
    typer.Argument(
        metavar="[bash|zsh|fish]", help="By default the one that $SHELL names.", show_default=False
    ),
]


def completion(ctx: typer.Context, shell: Shell = "") -> None:
    """Print the script that makes a shell complete commands, recipes, nodes, keys and values.

    bash, in ~/.bashrc: eval "$(mlrecipe completion bash)"

    zsh, in ~/.zshrc: eval "$(mlrecipe completion zsh)"

    fish, in ~/.config/fish/config.fish: mlrecipe completion fish | source
    """
    name = shell or Path(os.environ.get("SHELL", "")).name
    if name not in SCRIPTS:
        what = f"no completion for the shell {name!r}" if name else "which shell? SHELL is not set"
        raise RequestError(what, hint=did_you_mean(name, SCRIPTS))
    render.out(SCRIPTS[name])
