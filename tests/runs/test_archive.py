"""Runs in an archive, and out of one into another project."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import os
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mlrecipe import secrecy
from mlrecipe.errors import MlrecipeError, RequestError
from mlrecipe.runs import intake
from mlrecipe.runs.archive import family, pack
from mlrecipe.runs.intake import unpack
from mlrecipe.runs.manifest import conclude
from mlrecipe.runs.run import Run, create, every

Change = Callable[[dict[str, Any], dict[str, bytes]], None]


@pytest.fixture
def other(tmp_path: Path) -> Path:
    """Another project."""
    folder = tmp_path / "other"
    (folder / ".mlrecipe").mkdir(parents=True)
    return folder


def make(project: Path, *, stage: str = "train", recipe: str = "", **facts: Any) -> Run:
    """A finished run with weights and their digests."""
    run = create(project, name="x", stage=stage, recipe="r.toml", **facts)
    (run.folder / "recipe.resolved.toml").write_text(recipe or 'name = "x"\n')
    best = run.folder / "checkpoints" / "best"
    best.mkdir(parents=True)
    (best / "model.safetensors").write_bytes(bytes(range(256)) * 20)
    (best / "config.json").write_text(json.dumps({"from": f"{project}/models/tiny"}))
    (run.folder / "code").mkdir()
    (run.folder / "code" / "ops.py").write_text("x = 1\n")
    (run.folder / "resume").mkdir()
    (run.folder / "resume" / "state").write_bytes(b"s")
    conclude(run, metrics={"valid/f1": 0.5}, outputs={"best": best})
    return run.finish("finished")


def files(folder: Path) -> dict[str, bytes]:
    """Every file below a folder, and what is in it."""
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def texts(archive: Path) -> dict[str, bytes]:
    """Every file in an archive."""
    with tarfile.open(archive) as tar:
        return {m.name: tar.extractfile(m).read() for m in tar.getmembers()}  # type: ignore[union-attr]


def rewritten(archive: Path, change: Change, *, extra: tarfile.TarInfo | None = None) -> Path:
    """The archive after a change of its list and its files; `extra` is a member behind them."""
    found = texts(archive)
    manifest = json.loads(found.pop("manifest.json"))
    change(manifest, found)
    with tarfile.open(archive, "w:gz") as tar:
        for name, content in {"manifest.json": json.dumps(manifest).encode(), **found}.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
        if extra is not None:
            tar.addfile(extra)
    return archive


def test_a_run_arrives_in_another_project_as_it_was(
    project: Path, other: Path, tmp_path: Path
) -> None:
    """Every file, byte for byte, but for what it says of this machine and where it came from."""
    run = make(project, tags=["final"])
    archive = tmp_path / "x.tar.gz"

    packed = pack(archive, [run], project=project)
    taken = unpack(archive, other)

    assert [each.id for each in taken.runs] == [run.id]
    before, after = files(run.folder), files(other / "runs" / run.id)
    assert set(before) - set(after) == {"resume/state"}
    changed = {name for name in after if after[name] != before[name]}
    assert changed == {"run.json", "outputs.json", "checkpoints/best/config.json"}
    assert taken.runs[0].facts["imported"]["from"] == "x.tar.gz"
    assert taken.runs[0].facts["tags"] == ["final"]
    assert packed.files == len(after)
    assert [path.name for path in (other / "runs").iterdir()] == [run.id]


def test_an_archive_names_no_path_of_this_machine(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The project's is relative, the user's a tilde; another is told, for it must be there, too."""
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    recipe = (
        f'a = "{project}/data/x.csv"\nb = "{tmp_path}/home/models/m"\nc = "/mnt/data"\n'
        f'd = "/other{project}/x"\n'
    )
    run = make(project, recipe=recipe)
    archive = tmp_path / "x.tar.gz"

    packed = pack(archive, [run], project=project)

    said = texts(archive)[f"runs/{run.id}/recipe.resolved.toml"].decode()
    assert said.splitlines()[:3] == ['a = "data/x.csv"', 'b = "~/models/m"', 'c = "/mnt/data"']
    assert said.splitlines()[3] == f'd = "/other{project}/x"'
    assert packed.absolute[0] == "b ~/models/m"
    assert "c /mnt/data" in packed.absolute
    whole = b"".join(texts(archive).values()).replace(f"/other{project}".encode(), b"")
    assert str(project).encode() not in whole
    with tarfile.open(archive) as tar:
        assert all(not m.name.startswith("/") and not m.uname for m in tar.getmembers())


def test_an_archive_holds_no_secret(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither those that the recipe names, nor what looks like one that a service gives out."""
    monkeypatch.setattr(secrecy, "_concealed", set())
    monkeypatch.setenv("TOKEN_OF_MINE", "tellnobody")
    run = make(project, recipe='token = "${secret:TOKEN_OF_MINE}"\n')
    key = "-----BEGIN RSA PRIVATE KEY-----\nabc\n-----END RSA PRIVATE KEY-----"
    (run.folder / "git.patch").write_text(
        f"+a = 'tellnobody'\n+b = 'hf_{'a' * 34}'\n+c = 'https://me:pw@example.org'\n+{key}\n"
    )

    packed = pack(tmp_path / "x.tar.gz", [run], project=project)

    said = texts(tmp_path / "x.tar.gz")[f"runs/{run.id}/git.patch"].decode()
    assert said == "+a = '***'\n+b = '***'\n+c = 'https://***@example.org'\n+***\n"
    assert f"runs/{run.id}/git.patch" in packed.cleaned
    whole = b"".join(texts(tmp_path / "x.tar.gz").values())
    assert b"${secret:TOKEN_OF_MINE}" in whole


def test_equal_runs_give_equal_archives(project: Path, tmp_path: Path) -> None:
    """Whenever they are made."""
    run = make(project)
    pack(tmp_path / "a.tar.gz", [run], project=project)
    for path in run.folder.rglob("*"):
        os.utime(path, (0, 0))

    pack(tmp_path / "b.tar.gz", [run], project=project)

    assert (tmp_path / "a.tar.gz").read_bytes() == (tmp_path / "b.tar.gz").read_bytes()


def test_a_training_goes_with_its_tests_and_a_test_with_its_training(project: Path) -> None:
    """Finished ones; a group with its trainings and their tests."""
    group = make(project, stage="repeat")
    run = make(project, group=group.id)
    test = make(project, stage="test", parent=run.id)
    create(project, name="x", stage="test", recipe="r", parent=run.id).finish("failed")
    make(project)

    assert {each.id for each in family(run)} == {run.id, test.id}
    assert {each.id for each in family(test)} == {run.id, test.id}
    assert {each.id for each in family(group)} == {group.id, run.id, test.id}


def test_weights_may_stay_behind(project: Path, other: Path, tmp_path: Path) -> None:
    """Then the run says nothing of their digests either."""
    run = make(project)

    pack(tmp_path / "x.tar.gz", [run], project=project, has_checkpoints=False)
    unpack(tmp_path / "x.tar.gz", other)

    folder = other / "runs" / run.id
    assert not (folder / "checkpoints").exists()
    assert json.loads((folder / "outputs.json").read_text()) == {}


def test_a_run_that_is_going_on_is_not_packed_and_a_crashed_one_says_so(
    project: Path, other: Path, tmp_path: Path
) -> None:
    """Elsewhere nobody could tell that its process is gone."""
    going = create(project, name="x", stage="train", recipe="r")
    with pytest.raises(RequestError, match="is going on, as process"):
        pack(tmp_path / "x.tar.gz", [going], project=project)

    pack(tmp_path / "x.tar.gz", [going.update(pid=2**22 + 1)], project=project)

    assert unpack(tmp_path / "x.tar.gz", other).runs[0].facts["status"] == "crashed"


def test_links_in_a_run_stay_behind(project: Path, tmp_path: Path) -> None:
    """What they lead to is not the run's."""
    run = make(project)
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "private.txt").write_text("private")
    os.symlink(tmp_path / "outside" / "private.txt", run.folder / "link.txt")
    os.symlink(tmp_path / "outside", run.folder / "folder")

    pack(tmp_path / "x.tar.gz", [run], project=project)

    assert b"private" not in b"".join(texts(tmp_path / "x.tar.gz").values())


def test_data_go_to_where_they_lay_and_overwrite_nothing(
    project: Path, other: Path, tmp_path: Path
) -> None:
    """A file that is there with other content is told, and kept."""
    run = make(project)
    for name in ("a.csv", "b.csv"):
        (project / name).write_text(name)
    (other / "b.csv").write_text("mine")
    data = {"data/a.csv": project / "a.csv", "b.csv": project / "b.csv"}

    pack(tmp_path / "x.tar.gz", [run], project=project, data=data)
    taken = unpack(tmp_path / "x.tar.gz", other)

    assert (list(taken.data), list(taken.kept)) == (["data/a.csv"], ["b.csv"])
    assert (other / "data" / "a.csv").read_text() == "a.csv"
    assert (other / "b.csv").read_text() == "mine"


def test_a_run_that_is_there_is_kept(project: Path, tmp_path: Path) -> None:
    """All or none of an archive's runs come in."""
    first, second = make(project), make(project)
    pack(tmp_path / "x.tar.gz", [first, second], project=project)
    os.rename(second.folder, tmp_path / "gone")

    with pytest.raises(RequestError, match=rf"'{first.id}' is in this project already"):
        unpack(tmp_path / "x.tar.gz", project)

    assert [run.id for run in every(project)] == [first.id]


def link(kind: bytes, name: str) -> tarfile.TarInfo:
    """A member that leads elsewhere."""
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, "/etc/passwd"
    return info


def rename(new: str) -> Change:
    """A change: a file has another name, in the list as well."""

    def change(manifest: dict[str, Any], found: dict[str, bytes]) -> None:
        old = next(name for name in found if name.endswith("metrics.json"))
        found[new] = found.pop(old)
        manifest["files"][new] = manifest["files"].pop(old)

    return change


def alter(manifest: dict[str, Any], found: dict[str, bytes]) -> None:
    """A change: other weights."""
    name = next(name for name in found if name.endswith("model.safetensors"))
    found[name] = found[name][::-1]


def grow(manifest: dict[str, Any], found: dict[str, bytes]) -> None:
    """A change: more than the list says."""
    name = next(name for name in found if name.endswith("model.safetensors"))
    found[name] *= 2


def drop(manifest: dict[str, Any], found: dict[str, bytes]) -> None:
    """A change: a file is missing."""
    del found[next(name for name in found if name.endswith("metrics.json"))]


def swap(manifest: dict[str, Any], found: dict[str, bytes]) -> None:
    """A change: other weights, and a list that fits them."""
    alter(manifest, found)
    name = next(name for name in found if name.endswith("model.safetensors"))
    manifest["files"][name]["sha256"] = hashlib.sha256(found[name]).hexdigest()


def say(file: str, text: str) -> Change:
    """A change: a small file says something else, and the list fits it; `NAME` is that of the run."""

    def change(manifest: dict[str, Any], found: dict[str, bytes]) -> None:
        name = next(name for name in found if name.endswith(file))
        found[name] = text.replace("NAME", name.split("/")[1]).encode()
        digest = hashlib.sha256(found[name]).hexdigest()
        manifest["files"][name] = {"bytes": len(found[name]), "sha256": digest}

    return change


def list_it(**facts: Any) -> Change:
    """A change: the list says something else of a file."""

    def change(manifest: dict[str, Any], found: dict[str, bytes]) -> None:
        name = next(name for name in found if name.endswith("metrics.json"))
        manifest["files"][name] |= facts

    return change


_RUN = '{"id": "NAME", "stage": "train", "recipe": "r", "status": "finished"'
"""How the facts of a run begin."""


def call_it(name: str) -> Change:
    """A change: the run is called otherwise."""

    def change(manifest: dict[str, Any], found: dict[str, bytes]) -> None:
        manifest["runs"] = [name]

    return change


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (rename("../evil"), "is no place for a file of a run"),
        (rename("/tmp/evil"), "is no place for a file of a run"),
        (rename("runs/x/../../evil"), "is no place for a file of a run"),
        (rename("data/../../evil"), "is no place for a file of a run"),
        (rename("data/.mlrecipe/evil"), "is no place for a file of a run"),
        (rename("data/runs/evil"), "is no place for a file of a run"),
        (rename("ops.py"), "is no place for a file of a run"),
        (call_it("../x"), "is no name of a run"),
        (call_it(".x"), "is no name of a run"),
        (alter, "is not what was packed"),
        (grow, "has not the size that its list says"),
        (drop, "is missing"),
        (swap, "is not what the run gave"),
        (lambda manifest, found: manifest.update(runs=3), "cannot be read"),
        (lambda manifest, found: manifest["runs"].append(manifest["runs"][0]), "a run twice"),
        (rename("data/Runs/evil"), "is no place for a file of a run"),
        (list_it(sha256=None), "its list of files cannot be read"),
        (list_it(bytes=-1), "its list of files cannot be read"),
        (say("run.json", _RUN.replace("finished", "done") + "}"), "is no run that has ended"),
        (say("run.json", _RUN.replace('"finished"', "[1]") + "}"), "is no run that has ended"),
        (say("run.json", "[" * 100_000), "is no run that has ended"),
        (say("run.json", _RUN + ', "rows": "many"}'), "says of 'rows' cannot be"),
        (say("run.json", _RUN + ', "parent": "../x"}'), "says of 'parent' cannot be"),
        (say("outputs.json", "[]"), "outputs.json of .* cannot be read"),
        (say("outputs.json", "[" * 100_000), "outputs.json of .* cannot be read"),
        (say("outputs.json", '{"best": {"path": "x"}}'), "outputs.json of .* cannot be read"),
        (
            say("outputs.json", '{"best": {"path": "..", "sha256": {"a": "b"}}}'),
            "is not what the run gave",
        ),
    ],
)
def test_an_archive_that_was_tampered_with_is_refused(
    project: Path, other: Path, tmp_path: Path, change: Change, said: str
) -> None:
    """Names that lead elsewhere, other bytes, more or fewer files: nothing of it is written."""
    archive = tmp_path / "x.tar.gz"
    pack(archive, [make(project)], project=project)
    rewritten(archive, change)

    with pytest.raises(RequestError, match=said):
        unpack(archive, other)

    assert files(other) == {}
    assert list((other / "runs").iterdir()) == []
    assert not (tmp_path / "evil").exists()


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE])
def test_an_archive_with_links_is_refused(
    project: Path, other: Path, tmp_path: Path, kind: bytes
) -> None:
    """Of any kind, in whatever place."""
    run = make(project)
    archive = tmp_path / "x.tar.gz"
    pack(archive, [run], project=project)
    name = f"runs/{run.id}/metrics.json"

    def change(manifest: dict[str, Any], found: dict[str, bytes]) -> None:
        del found[name]
        manifest["files"][name]["bytes"] = 0

    rewritten(archive, change, extra=link(kind, name))

    with pytest.raises(RequestError, match="nothing was taken in"):
        unpack(archive, other)

    assert list((other / "runs").iterdir()) == []


def test_data_do_not_leave_the_project_through_a_link_in_it(
    project: Path, other: Path, tmp_path: Path
) -> None:
    """A folder of the project may be one that leads elsewhere."""
    run = make(project)
    (project / "a.csv").write_text("a")
    (tmp_path / "outside").mkdir()
    os.symlink(tmp_path / "outside", other / "data")
    pack(tmp_path / "x.tar.gz", [run], project=project, data={"data/a.csv": project / "a.csv"})

    with pytest.raises(RequestError, match="outside the project"):
        unpack(tmp_path / "x.tar.gz", other)

    assert list((tmp_path / "outside").iterdir()) == []


@pytest.mark.parametrize(
    "content",
    [b"", b"no archive", gzip.compress(b"no tar"), gzip.compress(b"x" * 5000)[:-20]],
    ids=["empty", "no-archive", "no-tar", "cut-short"],
)
def test_what_is_no_archive_is_refused(other: Path, tmp_path: Path, content: bytes) -> None:
    """With one line that says so."""
    (tmp_path / "x.tar.gz").write_bytes(content)

    with pytest.raises(RequestError, match="is no archive of runs"):
        unpack(tmp_path / "x.tar.gz", other)


def test_an_archive_cut_short_is_refused(project: Path, other: Path, tmp_path: Path) -> None:
    """Wherever the copy ended."""
    archive = tmp_path / "x.tar.gz"
    pack(archive, [make(project)], project=project)
    whole = archive.read_bytes()

    for part in (0.2, 0.5, 0.9):
        archive.write_bytes(whole[: int(len(whole) * part)])
        with pytest.raises(RequestError):
            unpack(archive, other)

    assert files(other) == {}


def test_a_list_too_deep_to_read_is_refused(other: Path, tmp_path: Path) -> None:
    """As one that was damaged."""
    with tarfile.open(tmp_path / "x.tar.gz", "w:gz") as tar:
        info = tarfile.TarInfo("manifest.json")
        info.size = 100_000
        tar.addfile(info, io.BytesIO(b"[" * info.size))

    with pytest.raises(RequestError, match="damaged or was tampered with"):
        unpack(tmp_path / "x.tar.gz", other)


@pytest.mark.parametrize("error", [OSError("no room"), KeyboardInterrupt()])
def test_what_arrived_goes_again_where_the_rest_cannot_come(
    project: Path,
    other: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    error: BaseException,
) -> None:
    """Runs and data that are in their places already too, and the folders that were made for them."""
    first, second = make(project), make(project)
    (project / "a.csv").write_text("a")
    data = {"deep/data/a.csv": project / "a.csv"}
    pack(tmp_path / "x.tar.gz", [first, second], project=project, data=data)
    whole, arrived = intake.write_json, []

    def fail(path: Path, facts: Any) -> None:
        if arrived:
            assert (other / "deep" / "data" / "a.csv").is_file()
            assert (other / "runs" / arrived[0]).is_dir()
            raise error
        arrived.append(path.parent.name)
        whole(path, facts)

    monkeypatch.setattr(intake, "write_json", fail)
    with pytest.raises((MlrecipeError, KeyboardInterrupt)):
        unpack(tmp_path / "x.tar.gz", other)

    assert files(other) == {}
    assert list((other / "runs").iterdir()) == []
    assert not (other / "deep").exists()


def test_an_export_leaves_out_what_is_no_fact(project: Path, other: Path, tmp_path: Path) -> None:
    """So that the archive can be taken in again: odd facts, outputs without digests."""
    run = make(project)
    facts = json.loads((run.folder / "run.json").read_text())
    (run.folder / "run.json").write_text(json.dumps(facts | {"rows": "x"}))
    (run.folder / "outputs.json").write_text('{"best": {"path": "checkpoints/best"}}')

    pack(tmp_path / "x.tar.gz", list(every(project)), project=project)

    assert "rows" not in unpack(tmp_path / "x.tar.gz", other).runs[0].facts


def test_a_run_that_was_renamed_is_taken_in(project: Path, other: Path, tmp_path: Path) -> None:
    """By the name that it has now."""
    make(project).folder.rename(project / "runs" / "mine")
    (run,) = every(project)

    pack(tmp_path / "x.tar.gz", [run], project=project)

    assert [each.facts["id"] for each in unpack(tmp_path / "x.tar.gz", other).runs] == ["mine"]
