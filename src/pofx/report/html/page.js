"use strict";
/* Moves through the heat text by pointer, touch and arrow keys, and shows the numbers of the chosen token.
   Everything is written with textContent: no text of the page can become markup. */
(() => {
  const minus = (s) => s.replace("-", "−");
  const logp = (v) => (v === null ? "−∞" : minus(Math.abs(v) < 0.0005 ? "0.000" : v.toFixed(3)));
  const p = (v) => {
    if (v === null) return "0";
    const x = Math.exp(v);
    return x !== 0 && x < 1e-4 ? minus(x.toExponential(2)) : x === 0 ? "< 1e−300" : x.toPrecision(3);
  };
  const make = (tag, kind, words) => {
    const node = document.createElement(tag);
    if (kind) node.className = kind;
    if (words !== undefined) node.textContent = words;
    return node;
  };

  const wire = (heat) => {
    const data = JSON.parse(heat.querySelector("script").textContent);
    const tokens = heat.querySelector(".tokens");
    const detail = heat.querySelector(".detail");
    const spans = Array.from(tokens.children);
    if (!spans.length) return;
    const first = [];
    data.size.reduce((at, n, k) => ((first[k] = at), at + n), 0);
    const logpOf = (k) => {
      const part = data.logp.slice(first[k], first[k] + data.size[k]);
      return part.includes(null) ? null : part.reduce((a, b) => a + b, 0);
    };
    const nameOf = (k) =>
      data.size[k] === 1 ? data.names[data.token[first[k]]] : spans[k].textContent;

    const rows = (i) => {
      const out = data.top[i].map((t, j) => [data.names[t], data.topLogp[i][j], t === data.token[i]]);
      if (!out.some((row) => row[2])) out.push([data.names[data.token[i]], data.logp[i], true]);
      const mass = out.reduce((sum, row) => sum + (row[1] === null ? 0 : Math.exp(row[1])), 0);
      const others = data.outcomes - out.length;
      if (others > 0) out.push([others + " others", mass < 1 ? Math.log1p(-mass) : null, null]);
      return out;
    };

    const spoken = (k) => {
      const i = first[k];
      let words = nameOf(k) + ", log p " + logp(logpOf(k)) + ", p " + p(logpOf(k));
      if (data.size[k] > 1) words += ", " + data.size[k] + " tokens";
      else {
        if (data.rank) words += ", rank " + data.rank[i];
        if (data.entropy) words += ", entropy " + logp(data.entropy[i]);
      }
      if (data.top)
        words += "; likeliest: " + rows(i).slice(0, 3).map((r) => r[0] + " " + p(r[1])).join(", ");
      return words;
    };

    const facts = (i) => {
      const list = make("dl");
      const add = (term, value) => list.append(make("dt", "", term), make("dd", "", value));
      add("p", p(data.logp[i]));
      add("log p", logp(data.logp[i]));
      if (data.rank) add("rank", data.rank[i].toLocaleString("en"));
      if (data.entropy) add("entropy", logp(data.entropy[i]));
      return list;
    };

    /* The tokens of one character, a row each. */
    const spelling = (i, n) => {
      const table = make("table");
      const row = (tag, cells) => {
        const line = make("tr");
        cells.forEach((c) => line.append(make(tag, "n", c)));
        table.append(line);
      };
      row("th", ["token", "p", "log p", ...(data.rank ? ["rank"] : [])]);
      for (let j = i; j < i + Math.min(n, 8); j++)
        row("td", [
          data.names[data.token[j]], p(data.logp[j]), logp(data.logp[j]),
          ...(data.rank ? [data.rank[j].toLocaleString("en")] : []),
        ]);
      return table;
    };

    const bars = (i) => {
      const list = make("ul", "alternatives");
      for (const [name, value, came] of rows(i)) {
        const item = make("li", came === null ? "rest" : "");
        const track = make("span", "track");
        const bar = make("i");
        bar.style.width = (value === null ? 0 : 100 * Math.exp(value)).toFixed(2) + "%";
        track.append(bar);
        const label = make("bdi", came ? "alt came" : "alt", name);
        item.append(label, track, make("span", "p", p(value)));
        list.append(item);
      }
      return list;
    };

    const show = (k) => {
      const head = make("p", "name");
      head.append(make("bdi", "", nameOf(k)));
      const n = data.size[k];
      const place = n === 1 ? "token " + (first[k] + 1) : n + " tokens, log p " + logp(logpOf(k));
      head.append(make("small", "", place));
      const columns = make("div", n > 1 ? "" : "columns");
      columns.append(n > 1 ? spelling(first[k], n) : facts(first[k]));
      if (data.top) {
        const what = n > 1 ? "likeliest in place of its first token" : "likeliest here";
        const side = make("div");
        side.append(make("h4", "", what), bars(first[k]));
        columns.append(side);
      }
      detail.replaceChildren(head, columns);
    };

    let chosen = -1;
    const choose = (k, focus) => {
      if (k < 0 || k >= spans.length) return;
      if (k !== chosen) {
        if (chosen >= 0) {
          spans[chosen].tabIndex = -1;
          spans[chosen].setAttribute("aria-selected", "false");
        }
        chosen = k;
        spans[k].tabIndex = 0;
        spans[k].setAttribute("aria-selected", "true");
        spans[k].setAttribute("aria-label", spoken(k));
        show(k);
      }
      if (focus) spans[k].focus({ preventScroll: false });
    };

    /* One line up or down: the nearest piece in the next row of boxes. */
    const vertical = (step) => {
      const from = spans[chosen].getBoundingClientRect();
      let best = -1, row = null, gap = Infinity;
      for (let k = chosen + step; k >= 0 && k < spans.length; k += step) {
        const box = spans[k].getBoundingClientRect();
        if (Math.abs(box.top - from.top) < from.height / 2) continue;
        if (row === null) row = box.top;
        if (Math.abs(box.top - row) > box.height / 2) break;
        const distance = Math.abs(box.left - from.left);
        if (distance < gap) [gap, best] = [distance, k];
      }
      return best < 0 ? chosen : best;
    };
    const keys = {
      ArrowRight: () => chosen + 1, ArrowLeft: () => chosen - 1,
      ArrowDown: () => vertical(1), ArrowUp: () => vertical(-1),
      Home: () => 0, End: () => spans.length - 1,
    };

    const index = new Map(spans.map((span, k) => [span, k]));
    const under = (event) => {
      const span = event.target.closest(".tokens > span");
      return span ? index.get(span) : undefined;
    };
    tokens.setAttribute("role", "listbox");
    tokens.setAttribute("aria-orientation", "horizontal");
    tokens.setAttribute("aria-label", "Text, token by token; arrow keys move");
    spans.forEach((span) => { span.setAttribute("role", "option"); span.tabIndex = -1; });
    for (const kind of ["mouseover", "click", "focusin"])
      tokens.addEventListener(kind, (event) => {
        const k = under(event);
        if (k !== undefined) choose(k, kind === "click");
      });
    tokens.addEventListener("keydown", (event) => {
      const to = keys[event.key];
      if (!to || event.ctrlKey || event.metaKey || event.altKey) return;
      event.preventDefault();
      choose(to(), true);
    });
    detail.hidden = false;
    /* Begin at the most surprising token in sight: that is what a reader looks for. */
    let worst = 0;
    spans.forEach((span, k) => {
      if (span.offsetTop > tokens.clientHeight - 24) return;
      const a = logpOf(k), b = logpOf(worst);
      if (b !== null && (a === null || a < b)) worst = k;
    });
    choose(worst, false);
  };
  document.querySelectorAll(".heat").forEach(wire);
})();
