"use strict";
(() => {
  const PAGE = 10;
  const byId = (id) => document.getElementById(id);
  const data = JSON.parse(byId("data").textContent);
  const views = [...document.querySelectorAll("[data-view]")];
  /* Without the script the links lead to the ids; with it, to a view from its top. */
  for (const view of views) view.removeAttribute("id");

  /* Elements are made, never parsed: no text of the data can become markup. */
  function make(tag, attributes = {}, ...children) {
    const element = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) {
      if (name === "style") element.style.setProperty(...value);
      else element.setAttribute(name, value);
    }
    element.append(...children.filter((child) => child !== null && child !== ""));
    return element;
  }

  /* The address: #view?key=value. */
  function address() {
    const [view, query] = location.hash.slice(1).split("?");
    const known = views.some((each) => each.dataset.view === view);
    return [known ? view : "overview", new URLSearchParams(query || "")];
  }
  function put(changes) {
    const [view, query] = address();
    for (const [name, value] of Object.entries(changes)) {
      if (value === "") query.delete(name);
      else query.set(name, value);
    }
    const text = query.toString();
    history.replaceState(null, "", `#${view}${text ? "?" + text : ""}`);
    show();
  }

  /* The address of an item, or of all: what is looked at changes, how it is shown does not. */
  const LOOKS = ["answers", "dim"];
  function to(item) {
    const [, query] = address();
    const parts = LOOKS.filter((name) => query.has(name)).map((name) => [name, query.get(name)]);
    if (item !== null) parts.unshift(["item", item]);
    const text = parts.map((part) => part.map(encodeURIComponent).join("=")).join("&");
    return `#items${text ? "?" + text : ""}`;
  }

  /* Search: letter case and the form of quotation marks make no difference. */
  function pattern(text) {
    const safe = text.trim().replace(/[.*+?^${}()|[\]\\]/g, "\\$&").replace(/\s+/g, "\\s+")
      .replace(/['‘’‚`]/g, "['‘’‚`]").replace(/["“”„«»]/g, '["“”„«»]');
    return safe ? new RegExp(safe, "giu") : null;
  }
  const has = (text, wanted) => { wanted.lastIndex = 0; return wanted.test(text); };

  /* A text with its dimmed words (gap and length in turn) and the places where the search is. */
  function marked(text, dimmed, wanted) {
    const grey = [], found = [];
    if (byId("dim").checked) {
      for (let n = 0, at = 0; n < dimmed.length; n += 2) {
        grey.push([at + dimmed[n], at + dimmed[n] + dimmed[n + 1]]);
        at += dimmed[n] + dimmed[n + 1];
      }
    }
    if (wanted) wanted.lastIndex = 0;  /* where matchAll would begin */
    if (wanted) for (const one of text.matchAll(wanted)) {
      if (one[0]) found.push([one.index, one.index + one[0].length]);
    }
    const edges = [...new Set([0, text.length, ...grey.flat(), ...found.flat()])];
    edges.sort((a, b) => a - b);
    const inside = (spans, a, b) => spans.some(([from, to]) => from <= a && b <= to);
    const pieces = [];
    for (let n = 0; n + 1 < edges.length; n++) {
      let piece = text.slice(edges[n], edges[n + 1]);
      if (inside(grey, edges[n], edges[n + 1])) piece = make("span", {class: "input"}, piece);
      if (inside(found, edges[n], edges[n + 1])) piece = make("mark", {}, piece);
      pieces.push(piece);
    }
    return pieces;
  }

  function card(name, color, label, text, dimmed, remark, wanted, kind = "") {
    const head = make("p", {class: "head"}, make("b", {}, name), " ", make("span", {}, label),
      remark ? make("span", {}, ` · ${remark}`) : "");
    const body = !data.texts ? "" : make("p", {class: "text", dir: "auto"},
      ...(text.trim() ? marked(text, dimmed, wanted)
        : [make("span", {class: "soft"}, "no explanation")]));
    return make("div", {class: `answer ${kind}`, style: ["--who", color]}, head, body);
  }

  function shown(number, evaluation, wanted) {
    const [id, split, first, second, annotations, crowd] = data.items[number];
    const link = make("a", {href: to(id)}, id);
    const article = make("article", {}, make("h3", {}, "Item ", link,
      split ? make("span", {class: "soft"}, split) : ""));
    if (first || second) {
      article.append(make("div", {class: "texts"}, ...[first, second].map((text, n) => text
        ? make("p", {}, make("span", {class: "role"}, data.roles[n] || ""),
            make("bdi", {dir: "auto"}, ...marked(text, [], wanted))) : "")));
    }
    const answers = evaluation === null ? [] : evaluation.answers[number] || [];
    const present = new Set([...annotations, ...answers].map((one) => one[0]));
    const many = data.annotators.length > 8;
    const columns = make("div", {class: many ? "columns few" : "columns",
      style: ["--columns", data.annotators.length]});
    data.annotators.forEach(([name, color], who) => {
      if (many && !present.has(who)) return;
      const column = make("div", {class: present.has(who) ? "column" : "column none"});
      const own = annotations.filter((one) => one[0] === who);
      for (const [, label, text, dimmed, rejected] of own) {
        column.append(card(name, color, data.labels[label], text, dimmed,
          rejected ? "rejected in the validation round" : "", wanted));
      }
      if (!own.length) column.append(make("div", {class: "answer none", style: ["--who", color]},
        make("p", {class: "head"}, make("b", {}, name), " did not annotate")));
      for (const [target, method, label, text, dimmed] of answers) {
        if (target !== who) continue;
        const [title, look] = evaluation.methods[method];
        column.append(card(`${title} for ${name}`, look,
          label < 0 ? "unreadable label" : data.labels[label], text, dimmed, "", wanted, "method"));
      }
      columns.append(column);
    });
    article.append(columns);
    if (crowd) {
      const n = crowd.reduce((sum, one) => sum + one, 0);
      const parts = crowd.map((one, label) => `${data.labels[label]} ${one}`);
      article.append(make("p", {class: "soft"}, `Crowd (n = ${n}): ${parts.join(", ")}`));
    }
    return article;
  }

  function matching(query) {
    const wanted = pattern(query.get("q") || "");
    const item = query.get("item"), who = query.get("annotator"), label = query.get("label");
    const evaluation = data.evaluations[query.get("answers") ?? ""] ?? null;
    const numbers = [];
    data.items.forEach(([id, , first, second, annotations], number) => {
      if (item !== null && id !== item) return;
      const fits = annotations.filter((one) => (who === null || data.annotators[one[0]][0] === who)
        && (label === null || data.labels[one[1]] === label));
      if ((who !== null || label !== null) && !fits.length) return;
      if (query.has("differ") && new Set(annotations.map((one) => one[1])).size < 2) return;
      if (wanted) {
        const answers = evaluation === null ? [] : evaluation.answers[number] || [];
        const texts = [id, first, second, ...fits.map((one) => one[2]),
          ...answers.map((one) => one[3])];
        if (!texts.some((text) => has(text, wanted))) return;
      }
      numbers.push(number);
    });
    return [numbers, evaluation, wanted];
  }

  function list(query) {
    for (const id of ["q", "annotator", "label", "answers"]) {
      if (byId(id).value !== (query.get(id) || "")) byId(id).value = query.get(id) || "";
    }
    byId("differ").checked = query.has("differ");
    byId("dim").checked = query.get("dim") !== "0";
    const [numbers, evaluation, wanted] = matching(query);
    const last = Math.max(0, Math.ceil(numbers.length / PAGE) - 1);
    const page = Math.min(Math.max(0, Number(query.get("page") || 1) - 1 || 0), last);
    const part = numbers.slice(page * PAGE, (page + 1) * PAGE);
    byId("list").replaceChildren(...part.map((number) => shown(number, evaluation, wanted)));
    const all = data.items.length.toLocaleString("en"), n = numbers.length.toLocaleString("en");
    byId("found").replaceChildren(`${n} of ${all} ${data.items.length === 1 ? "item" : "items"}`,
      query.has("item") ? " · " : "",
      query.has("item") ? make("a", {href: to(null)}, "Show all items") : "");
    byId("place").textContent = `Page ${page + 1} of ${last + 1}`;
    byId("previous").disabled = page === 0;
    byId("next").disabled = page === last;
    byId("pager").hidden = last === 0;
    byId("previous").value = page;
    byId("next").value = page + 2;
  }

  /* Parts of a view with data-NAME are shown where NAME is chosen. */
  function choose(section, query) {
    for (const select of section.querySelectorAll("select[data-choice]")) {
      const name = select.dataset.choice, asked = query.get(name);
      if ([...select.options].some((option) => option.value === asked)) select.value = asked;
    }
    const choices = [...section.querySelectorAll("select[data-choice]")];
    const parts = choices.map((select) => `[data-${select.dataset.choice}]`).join(",");
    if (parts) for (const part of section.querySelectorAll(parts)) {
      part.hidden = choices.some((select) => {
        const own = part.dataset[select.dataset.choice];
        return own !== undefined && own !== select.value;
      });
    }
  }

  let current = "";
  function show() {
    const [view, query] = address();
    for (const section of views) section.hidden = section.dataset.view !== view;
    for (const link of document.querySelectorAll("nav a")) {
      if (link.hash === `#${view}`) link.setAttribute("aria-current", "page");
      else link.removeAttribute("aria-current");
    }
    const section = views.find((each) => each.dataset.view === view);
    if (view === "items") list(query);
    else choose(section, query);
    if (current !== view) scrollTo(0, 0);
    current = view;
  }

  const option = (value, text) => make("option", {value}, text);
  byId("annotator").append(...data.annotators.map(([name]) => option(name, name)));
  byId("label").append(...data.labels.map((label) => option(label, label)));
  byId("answers").append(...data.evaluations.map((one, n) => option(n, one.title)));
  let waiting = 0;
  byId("q").addEventListener("input", () => {
    clearTimeout(waiting);
    waiting = setTimeout(() => put({q: byId("q").value, page: "", item: ""}), 150);
  });
  for (const id of ["annotator", "label"]) {
    byId(id).addEventListener("change", () => put({[id]: byId(id).value, page: "", item: ""}));
  }
  byId("differ").addEventListener("change", () =>
    put({differ: byId("differ").checked ? "1" : "", page: "", item: ""}));
  /* These are about how items are shown: an opened item stays open. */
  byId("answers").addEventListener("change", () => put({answers: byId("answers").value, page: ""}));
  byId("dim").addEventListener("change", () => put({dim: byId("dim").checked ? "" : "0"}));
  for (const id of ["previous", "next"]) {
    byId(id).addEventListener("click", (event) => {
      put({page: event.currentTarget.value});
      byId("found").scrollIntoView({block: "center"});
    });
  }
  byId("find").addEventListener("submit", (event) => event.preventDefault());
  for (const select of document.querySelectorAll("select[data-choice]")) {
    select.addEventListener("change", () => put({[select.dataset.choice]: select.value}));
  }
  addEventListener("hashchange", show);
  show();
})();
