"""The table of the chain rule: its rows are the API's, its sum is the number of the head, and copies keep all digits."""

from __future__ import annotations

import csv
import io
import json
from decimal import Decimal

from looking import asked, fixed, shown_p, type_text
from playwright.sync_api import Page, expect

from pofx.report.numerals import typeset
from pofx.report.sums import steps
from served import Server

TEXT = "A stitch, naïve."


def test_every_row_is_that_of_the_server_and_the_sum_is_the_head(page: Page, site: Server) -> None:
    type_text(page, TEXT, "english")
    record = asked(site, TEXT)
    rows = page.locator(".chain tbody tr")
    expect(rows).to_have_count(len(record["tokens"]))
    nats = [t["nats"] for t in record["tokens"]]
    # A term may differ from its own rounding by less than one unit of the last digit, so that the column adds up.
    logp, sums = steps(nats, record["total_nats"])
    running, added = 0.0, Decimal(0)
    for k, (row, t) in enumerate(zip(rows.all(), record["tokens"])):
        running += t["nats"]
        numbers = row.locator("td.n").all_inner_texts()
        shown = [typeset(logp[k]), typeset(sums[k])]
        others = [f"{t['rank']:,}", fixed(t["entropy_nats"]), f"{t['seen']:,}"]
        assert numbers == [f"{k + 1:,}", shown_p(t["nats"]), *shown, *others]
        term, total_here = (Decimal(n.replace("−", "-")) for n in numbers[2:4])
        added += term
        assert added == total_here
        assert abs(float(term) - t["nats"]) < 1e-3 and abs(float(total_here) - running) < 1e-3
    expect(rows.last).to_contain_text("EOS")
    expect(rows.nth(2)).to_contain_text("s")
    total = page.locator(".chain tfoot td.n").inner_text()
    assert total == fixed(record["total_nats"])
    assert f"= {total} nats" in page.locator(".total").inner_text()


def test_bytes_of_half_characters_and_white_space_are_visible(page: Page) -> None:
    type_text(page, TEXT, "english")
    names = page.locator(".chain .tok").all_inner_texts()
    assert names[1] == "␣"
    assert [n.split()[0] for n in names if n.startswith("\\x")] == ["\\xc3", "\\xaf"]
    assert "c3" in names[TEXT.encode().index(b"\xc3")]


def test_copies_have_all_digits(page: Page, site: Server) -> None:
    type_text(page, TEXT, "english")
    record = asked(site, TEXT)
    clipboard = "navigator.clipboard.readText()"
    page.get_by_role("button", name="CSV").click()
    expect(page.get_by_text("CSV is on the clipboard.")).to_be_visible()
    rows = list(csv.DictReader(io.StringIO(page.evaluate(clipboard))))
    assert [float(r["nats"]) for r in rows] == [t["nats"] for t in record["tokens"]]
    assert float(rows[-1]["running_nats"]) == record["total_nats"]
    page.get_by_role("button", name="JSON", exact=True).focus()
    page.keyboard.press("Enter")
    expect(page.get_by_text("JSON is on the clipboard.")).to_be_visible()
    assert json.loads(page.evaluate(clipboard)) == record
    page.get_by_role("button", name="LaTeX").click()
    expect(page.get_by_text("LaTeX is on the clipboard.")).to_be_visible()
    assert f"${fixed(record['total_nats']).replace('−', '-')}$" in page.evaluate(clipboard)


def test_the_table_scrolls_by_keys(page: Page) -> None:
    type_text(page, "A stitch in time saves nine. " * 60, "english")
    page.get_by_text("The chain rule, factor by factor").focus()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    table = page.get_by_role("region", name="The chain rule, factor by factor")
    expect(table).to_be_focused()
    assert page.locator(".chain tbody tr").count() < 200
    page.keyboard.press("End")
    expect(page.locator(".chain tbody tr.eos")).to_be_visible()
