"""An ARPA file with all that KenLM's own model tests have in theirs, and what KenLM says of sentences under it.

The file has n-grams whose last tokens are no n-gram of the file, histories that are none, n-grams with and after
`<unk>`, back-off weights that are left out or are zero, and 1-grams that no longer n-gram continues. The numbers were
printed by the Python module `kenlm` 0.3.0 (`Model.full_scores`): log10 p of each word and of `</s>`, and the length of
the n-gram that it comes from.
"""

ARPA = """
\\data\\
ngram 1=13
ngram 2=12
ngram 3=7
ngram 4=3

\\1-grams:
-1.72\t<unk>\t-3.5
-99\t<s>\t-0.41
-1.03\t</s>
-1.29\tboats\t-0.7
-1.51\tdrift\t-0.48
-1.21\tpast\t-0.54
-1.38\tthe\t-0.3
-1.69\tquiet\t-0.31
-1.68\tharbour\t-0.22
-2.72\tgulls
-6.54\tfog\t-0.0
-1.14\t.\t-0.85
-1.44\tslowly\t-0.12

\\2-grams:
-0.48\t<s> boats\t-0.47
-1.07\t<s> the
-0.46\tboats drift\t-0.48
-0.17\tdrift past\t-0.37
-0.09\tpast the\t-0.69
-0.29\tthe quiet\t-0.2
-0.27\tquiet harbour
-0.06\t. </s>
-2\tdrift slowly\t-0.6
-4\t<unk> past\t-0.9
-5\t<unk> <unk>\t-0.8
-3.3\tgulls fog

\\3-grams:
-0.35\t<s> boats drift\t-0.46
-0.05\tboats drift past\t-0.45
-0.03\tdrift past the\t-0.44
-0.02\tpast the quiet\t-0.1
-3\tdrift slowly harbour\t-0.7
-4.5\t<unk> past <unk>\t-0.33
-0.019\tquiet harbour .

\\4-grams:
-0.016\t<s> boats drift past
-0.009\tboats drift past the
-4.2\tdrift slowly harbour the

\\end\\
"""
SENTENCES = [
    "boats drift past the quiet harbour .",
    "boats drift past the quiet harbour",
    "the harbour",
    "drift slowly harbour the fog",
    "drift slowly harbour boats",
    "whales past eels past gulls fog gulls",
    "whales eels squid past the quiet",
    "boats drift past whales past",
    ". gulls",
    "",
    "slowly slowly slowly",
]
SAID: dict[str, list[tuple[float, int]]] = {
    "boats drift past the quiet harbour .": [
        (-0.48, 2),
        (-0.35, 3),
        (-0.016, 4),
        (-0.009, 4),
        (-0.46, 3),
        (-0.57, 2),
        (-0.019, 3),
        (-0.06, 2),
    ],
    "boats drift past the quiet harbour": [
        (-0.48, 2),
        (-0.35, 3),
        (-0.016, 4),
        (-0.009, 4),
        (-0.46, 3),
        (-0.57, 2),
        (-1.25, 1),
    ],
    "the harbour": [(-1.07, 2), (-1.98, 1), (-1.25, 1)],
    "drift slowly harbour the fog": [(-1.92, 1), (-2.0, 2), (-3.0, 3), (-4.2, 4), (-6.84, 1), (-1.03, 1)],
    "drift slowly harbour boats": [(-1.92, 1), (-2.0, 2), (-3.0, 3), (-2.21, 1), (-1.73, 1)],
    "whales past eels past gulls fog gulls": [
        (-2.13, 1),
        (-4.0, 2),
        (-4.5, 3),
        (-4.33, 2),
        (-4.16, 1),
        (-3.3, 2),
        (-2.72, 1),
        (-1.03, 1),
    ],
    "whales eels squid past the quiet": [
        (-2.13, 1),
        (-5.0, 2),
        (-5.8, 2),
        (-4.8, 2),
        (-0.99, 2),
        (-0.02, 3),
        (-1.64, 1),
    ],
    "boats drift past whales past": [(-0.48, 2), (-0.35, 3), (-0.016, 4), (-3.08, 2), (-4.0, 2), (-2.47, 1)],
    ". gulls": [(-1.55, 1), (-3.57, 1), (-1.03, 1)],
    "": [(-1.44, 1)],
    "slowly slowly slowly": [(-1.85, 1), (-1.56, 1), (-1.56, 1), (-1.15, 1)],
}
