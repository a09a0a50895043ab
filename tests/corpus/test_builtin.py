"""The docstrings of the standard library as documents."""

from __future__ import annotations

import json
import types
import warnings
from pathlib import Path

import pytest
from corpus_files import put

from pofx.corpus import builtin
from pofx.errors import BadSource

pa = pytest.importorskip("pyarrow")
pq = pytest.importorskip("pyarrow.parquet")
zstandard = pytest.importorskip("zstandard")


MODULE_B = '''"""Module b."""
def f():
    """Does f."""
    if 1:
        class K:
            """K.

            Flush.
              Indented.
            """
async def g():
    "Does g."
def repeated():
    "Does f."
def empty():
    "  "
def no_text():
    "\\ud800"
'''


@pytest.fixture
def library(tmp_path, monkeypatch):
    """A small standard library, and a cache of its own."""
    root = tmp_path / "lib"
    files = {
        "b.py": MODULE_B,
        "a/z.py": '"""Module z."""\nassert "\\d"\n',
        "broken.py": '"""Never parsed."""\n(',
        "nul.py": '"""Never read."""\n\0',
        "a/latin.py": b'# -*- coding: latin-1 -*-\n"""caf\xe9"""\n',
        "a/note.txt": '"""No Python."""',
        **{f"{d}/x.py": f'"""In {d}."""' for d in builtin._SKIPPED},
    }
    for name, data in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        put(root / name, data)
    monkeypatch.setattr(builtin, "sysconfig", types.SimpleNamespace(get_path=lambda _: str(root)))
    monkeypatch.setenv("POFX_CACHE", str(tmp_path / "cache"))
    return root


EXPECTED = ["café", "Module z.", "Module b.", "Does f.", "K.\n\nFlush.\n  Indented.", "Does g."]


def test_docstrings_in_the_order_of_file_and_line(library):
    assert builtin.builtin_documents() == EXPECTED


def test_the_second_call_reads_the_cache_and_a_broken_one_is_rebuilt(library, tmp_path, monkeypatch):
    builtin.builtin_documents()
    (path,) = (tmp_path / "cache").iterdir()
    whole = path.read_bytes()
    with monkeypatch.context() as patch:
        patch.setattr(builtin, "_walk", lambda root: pytest.fail("walked although there is a cache"))
        assert builtin.builtin_documents() == EXPECTED
    for broken in (b"", whole[:-1], whole.replace(b"Does f", b"Does F"), b"[]", b"\xff\n[]"):
        put(path, broken)
        assert builtin.builtin_documents() == EXPECTED
        assert path.read_bytes() == whole
    assert list((tmp_path / "cache").iterdir()) == [path]


def test_a_cache_that_cannot_be_written_is_no_error(library, tmp_path, monkeypatch):
    monkeypatch.setenv("POFX_CACHE", str(put(tmp_path / "file", b"") / "below"))
    assert builtin.builtin_documents() == EXPECTED


def test_a_python_without_sources(tmp_path, library, monkeypatch):
    empty = types.SimpleNamespace(get_path=lambda _: str(tmp_path / "nowhere"))
    monkeypatch.setattr(builtin, "sysconfig", empty)
    with pytest.raises(BadSource, match="sources of the Python standard library"):
        builtin.builtin_documents()


def test_the_real_library_in_part():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = builtin._walk(Path(json.__file__).parent)
    assert any(t.startswith("JSON (JavaScript Object Notation)") for t in found)
    assert len(found) > 15
