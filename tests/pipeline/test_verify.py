"""What `cache verify` finds about results that were made from damaged ones."""

from __future__ import annotations

import shutil

from mlrecipe.pipeline import roots
from mlrecipe.store.verify import verify


def test_store_36_what_was_made_from_a_flipped_byte_is_made_again(work):
    """Nobody could see the damage while it was used: the results of it are not hits any more."""
    work.edit("recipe.toml", "count = 4\n\n[nodes.second]", "count = 40000\n\n[nodes.second]")
    work.prepare(nodes=["first"]).raise_failures()
    record = work.store.latest("recipe.toml", "first")
    [path] = work.store.object_folder(record.digest).iterdir()
    data = path.read_bytes()
    path.chmod(0o644)
    path.write_bytes(data.replace(b"39999", b"11111", 1))
    with (work.folder / "recipe.toml").open("a") as file:
        file.write('\n[nodes.doubled]\nuse = "scale"\ninputs = ["first"]\n')
    wrong = work.output("doubled")
    assert wrong[-1] == 22222.0

    report = verify(work.store)

    kinds = sorted(finding.kind for finding in report.findings)
    assert kinds == ["damaged object", "doubtful record"]
    assert work.output("doubled")[-1] == 79998.0
    assert verify(work.store).findings == []


def test_only_what_recipes_need_of_what_is_lost_is_to_be_computed(work):
    """An output that is an input of others alone may be gone."""
    work.edit("recipe.toml", "count = 4\n\n[nodes.second]", "count = 40000\n\n[nodes.second]")
    work.edit("recipe.toml", "start = 10\ncount = 4", "start = 10\ncount = 40000")
    work.prepare().raise_failures()
    store = work.store
    for node in ("first", "scaled"):
        record = store.latest("recipe.toml", node)
        shutil.rmtree(store.paths.object(record.digest))

    report = verify(store)

    lost = [key for finding in report.findings for key in finding.users]
    assert sorted(lost) == [("recipe.toml", "first"), ("recipe.toml", "scaled")]
    assert roots.to_compute(store, work.folder, lost) == [("recipe.toml", "scaled")]
