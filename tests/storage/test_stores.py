"""Folders and object stores behave alike."""

from __future__ import annotations

import subprocess
import sys
import threading

import obstore
import pytest

from tidemill.errors import ArgumentError
from tidemill.storage import stores
from tidemill.storage.stores import Store

NAMES = ["a.json", "deep/er/b c.json", "ü%20#x (1, 2).json", '_x/quote"d".json', ".hidden"]


@pytest.mark.parametrize("name", NAMES)
def test_what_is_written_is_read_and_listed(store, name):
    store.write(name, b"one")
    store.write(name, b"three")
    assert store.read(name) == b"three"
    assert store.exists(name)
    assert [(entry.path, entry.size) for entry in store.list()] == [(name, 5)]
    store.delete(name)
    store.delete(name)
    assert not store.exists(name)
    assert store.list() == []


def test_missing_files(store):
    assert store.list() == []
    assert store.list("nowhere") == []
    assert store.folder() == ((), ())
    assert not store.exists("nothing")
    for read in (store.read, store.info, store.open_input):
        with pytest.raises(FileNotFoundError):
            read("nothing")
    store.write("folder/file", b"")
    assert not store.exists("folder")
    with pytest.raises(FileNotFoundError):
        store.read("nothing")
    with pytest.raises(FileNotFoundError):
        store.child("folder").read("nothing")


def test_folder_and_child(store):
    for name in ("x/1", "x/y/2", "x/y/3", "4"):
        store.write(name, b"abc")
    files, folders = store.folder()
    assert ([entry.path for entry in files], folders) == (["4"], ("x",))
    child = store.child("x")
    assert [entry.path for entry in child.list()] == ["1", "y/2", "y/3"]
    assert child.folder()[1] == ("y",)
    assert [entry.path for entry in store.list("x/y")] == ["x/y/2", "x/y/3"]
    store.delete_all("x")
    assert [entry.path for entry in store.list()] == ["4"]
    store.delete_all("x")
    store.delete_all()
    assert store.list() == []


def test_versions_change_with_the_content(store):
    store.write("a", b"1")
    first = store.info("a")
    assert store.list()[0] == first
    store.write("a", b"22")
    assert store.info("a").version != first.version


def test_one_thread_creates(store):
    wins: list[int] = []
    barrier = threading.Barrier(8)

    def create(number: int) -> None:
        barrier.wait()
        if store.create("race", b"%d" % number):
            wins.append(number)

    threads = [threading.Thread(target=create, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(wins) == 1
    assert store.read("race") == b"%d" % wins[0]


CREATE = """
import sys
from tidemill.storage.stores import Store
url, options, me = sys.argv[1], eval(sys.argv[2]), sys.argv[3]
store = Store.open(url, options)
store.write("ready/" + me, b"")
while len(store.list("ready")) < 2:
    pass
print(sum(store.create(f"race/{n}", me.encode()) for n in range(30)))
"""


def test_one_process_creates(store):
    command = [sys.executable, "-c", CREATE, store.url, repr(store.storage_options)]
    processes = [
        subprocess.Popen([*command, name], stdout=subprocess.PIPE, text=True) for name in "ab"
    ]
    wins = [int(process.communicate(timeout=120)[0]) for process in processes]
    assert sum(wins) == 30
    owners = [store.read(f"race/{n}") for n in range(30)]
    assert [owners.count(b"a"), owners.count(b"b")] == wins


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("ftp://host/x", "s3://"),
        ("s3:///x", "s3://"),
        ("s3://key:secret@bucket/x", "credentials"),
    ],
)
def test_urls_that_are_refused(url, words):
    with pytest.raises(ArgumentError, match=words) as caught:
        Store.open(url)
    assert "secret" not in str(caught.value).replace("secrets", "")


def test_local_locations(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert Store.open("a/../b/").url == str(tmp_path / "b")
    assert Store.open(tmp_path).local_path("x") == tmp_path / "x"
    assert Store.open(f"file://{tmp_path}/a%20b").url == str(tmp_path / "a b")
    assert Store.open("s3://bucket/x").local_path("y") is None
    (tmp_path / "file").write_text("")
    with pytest.raises(NotADirectoryError):
        Store.open("file").write("x", b"")


@pytest.mark.parametrize("name", ["a#b", "a?b", "a%20b", "a b+c", "ä"])
def test_any_character_may_stand_in_a_path(place, name):
    store = Store.open(f"{place[0]}/{name}", place[1])
    store.write(f"{name}.txt", b"1")
    assert (store.read(f"{name}.txt"), [one.path for one in store.list()]) == (
        b"1",
        [f"{name}.txt"],
    )
    outside = Store.open(*place)
    assert outside.folder()[1] == (name,)
    store.delete_all()
    assert outside.list() == []


def test_names_are_those_of_files_in_a_folder(store):
    for name in ("x/b", "x/a.json", "x/c/d", "x/c2", "e"):
        store.write(name, b"abc")
    assert store.names() == ["e"]
    assert store.names("x") == store.child("x").names() == ["a.json", "b", "c2"]
    assert store.files("x") == list(store.folder("x")[0])
    assert store.names("nowhere") == store.files("nowhere") == []
    assert store.names("e") == []


def test_names_are_those_between_two_others(store):
    for number in range(12):
        store.write(f"x/{number:02d}.json", b"%d" % number)
        store.write(f"x/{number:02d}/y", b"")
    assert store.names("x", after="09") == ["09.json", "10.json", "11.json"]
    assert store.names("x", after="09.json", before="11.json") == ["10.json"]
    assert store.names("x", before="02") == ["00.json", "01.json"]
    assert store.child("x").files(after="09~") == list(store.child("x").folder()[0][-2:])
    assert store.names("x", after="5") == []


def test_a_file_that_is_not_whole_has_no_name_yet(tmp_path):
    for name in ("a.json#1", "a.json", "b#c"):
        (tmp_path / name).write_bytes(b"")
    assert Store.open(tmp_path).names() == ["a.json", "b#c"]


def test_a_folder_holds_any_file(store):
    assert not store.holds_any()
    assert not store.holds_any("x")
    store.write("x/y/z", b"")
    assert store.holds_any()
    assert store.holds_any("x")
    assert not store.holds_any("y")


def test_an_object_store_is_asked_for_no_page_behind_the_last_name(s3_options, monkeypatch):
    store = Store.open("s3://matrices/pages", s3_options)
    for number in range(8):
        store.write(f"{number}.json", b"")
    pages, real = [], obstore.list

    def paged(*about, **how):
        for page in real(*about, **{**how, "chunk_size": 2}):
            pages.append([one["path"] for one in page])
            yield page

    monkeypatch.setattr(obstore, "list", paged)
    assert store.names(after="1.json", before="4") == ["2.json", "3.json"]
    assert pages == [["pages/2.json", "pages/3.json"], ["pages/4.json", "pages/5.json"]]
    pages.clear()
    monkeypatch.setattr(stores, "_UNSORTED", "matrices")  # such a bucket lists in any order
    assert store.names(after="1.json", before="4") == ["2.json", "3.json"]
    assert len(pages) == 4
