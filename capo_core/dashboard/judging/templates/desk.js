// The judge's desk in the browser: texts, cards, choices. What is chosen stays here until Save; one
// message carries the whole answer, and is repeated until the server has said that it is handled.
// Data and messages: see `desk_component.py`.

// In the tab's sessionStorage: what is chosen and not saved yet, by step and trial, for a reload and
// for the way to the last answer and back.
const DRAFTS = "judge-drafts";
const REPEAT_MS = [4000, 8000, 16000];
const SLOW_MS = 2500;
const BLANK_MS = 5000;

function make(tag, className, text) {
  const made = document.createElement(tag);
  if (className) made.className = className;
  if (text !== undefined) made.textContent = text;
  return made;
}

// Where the connection is cut in the middle of an answer, Streamlit can leave the page blank, though
// connected. The page is then loaded anew once the server answers; what was sent is in the tab.
async function comeBack() {
  if (document.querySelector(".judge-desk, .stApp h1")) return;
  try {
    const there = await fetch(new URL("_stcore/health", document.baseURI), { cache: "no-store" });
    if (there.ok && !document.querySelector(".judge-desk, .stApp h1")) {
      window.location.reload();
      return;
    }
  } catch (unreachable) {
    // Asked again below.
  }
  window.setTimeout(comeBack, BLANK_MS);
}

function placeOf({ step, trial }) {
  return `${step} ${trial}`;
}

function typing(target) {
  return target instanceof HTMLElement && target.closest("input, textarea, select, [contenteditable]");
}

class Desk {
  constructor(parent) {
    this.root = make("div", "judge-desk");
    parent.appendChild(this.root);
    this.data = null;
    this.chosen = { answer: "", confidence: "", reason: "" };
    this.sent = null; // the message that is not handled yet
    this.timer = this.slow = 0;
    this.onKey = (event) => this.key(event);
    document.addEventListener("keydown", this.onKey);
    // On its way to the server it may be lost with the connection; nothing else repeats it.
    this.onOnline = () => this.repeat();
    window.addEventListener("online", this.onOnline);
  }

  close() {
    document.removeEventListener("keydown", this.onKey);
    window.removeEventListener("online", this.onOnline);
    window.clearTimeout(this.timer);
    window.clearTimeout(this.slow);
    window.setTimeout(comeBack, BLANK_MS);
  }

  // New data from the server.
  update(data, send) {
    this.send = send;
    const before = this.data;
    const other = !before || placeOf(before) !== placeOf(data);
    const waited = this.sent;
    this.data = data;
    if (waited && (waited.id === data.handled || other)) this.settled();
    if (waited && before && other) this.keep(placeOf(before), null);
    if (other) this.begin(Boolean(waited) || data.saved);
    else if (waited && !this.sent) {
      this.draft(); // handled, and refused: it can be tried again
      this.draw();
    }
    if (data.problem && !this.sent) this.say(data.problem);
  }

  settled() {
    window.clearTimeout(this.timer);
    window.clearTimeout(this.slow);
    this.sent = null;
  }

  begin(saved) {
    const { data } = this;
    const given = data.given || {};
    this.chosen = {
      answer: given.answer || "",
      confidence: given.confidence || "",
      reason: given.reason || "",
    };
    const here = placeOf(data);
    const drafts = this.drafts();
    // What was sent from another place was handled before, or came too late.
    for (const [place, each] of Object.entries(drafts)) if (place !== here && each.sent) this.keep(place, null);
    const own = drafts[here];
    if (own) this.chosen = own.chosen;
    this.draw();
    this.root.querySelectorAll(".judge-texts, .judge-cards").forEach((each) => each.scrollTo(0, 0));
    this.say(saved && !data.changing ? data.words.saved : "");
    if (own && own.sent && own.sent.id !== data.handled) this.post(own.sent);
  }

  drafts() {
    try {
      return JSON.parse(window.sessionStorage.getItem(DRAFTS) || "{}");
    } catch (unreadable) {
      return {};
    }
  }

  keep(place, value) {
    const { [place]: before, ...others } = this.drafts();
    try {
      window.sessionStorage.setItem(DRAFTS, JSON.stringify(value ? { ...others, [place]: value } : others));
    } catch (refused) {
      // Without storage a reload costs a choice that was not saved yet.
    }
  }

  draft() {
    this.keep(placeOf(this.data), { chosen: this.chosen, sent: this.sent });
  }

  // What is chosen.
  choose(changes) {
    if (this.sent || !this.data.answers.length) return;
    Object.assign(this.chosen, changes);
    this.draft();
    this.draw();
    this.say("");
  }

  asksConfidence() {
    const found = this.data.answers.find((each) => each.value === this.chosen.answer);
    return Boolean(found && found.sure);
  }

  missing() {
    const { words } = this.data;
    if (!this.chosen.answer) return words.choose;
    return this.asksConfidence() && !this.chosen.confidence ? words.chooseSure : "";
  }

  save() {
    if (this.sent || !this.data.answers.length) return;
    const missing = this.missing();
    if (missing) {
      this.say(missing);
      return;
    }
    const { answer, confidence, reason } = this.chosen;
    const sure = this.asksConfidence() ? confidence : "";
    this.act("answer", { answer, confidence: sure, reason, layout: this.layout() });
  }

  act(act, more) {
    if (this.sent) return;
    const id = Array.from(window.crypto.getRandomValues(new Uint32Array(3)), (n) => n.toString(36)).join("");
    this.post({ id, act, trial: this.data.trial, replaces: Boolean(this.data.changing), ...more });
  }

  post(message) {
    this.sent = message;
    if (message.act === "answer") this.draft();
    this.draw();
    this.say(this.data.words.saving);
    this.slow = window.setTimeout(() => this.sent && this.say(this.data.words.slow), SLOW_MS);
    this.tries = 0;
    this.deliver();
  }

  deliver() {
    const message = this.sent;
    if (!message) return;
    this.send({ ...message, attempt: this.tries });
    const wait = REPEAT_MS[Math.min(this.tries, REPEAT_MS.length - 1)];
    this.tries += 1;
    window.clearTimeout(this.timer);
    this.timer = window.setTimeout(() => this.deliver(), wait);
  }

  repeat() {
    if (this.sent) this.deliver();
  }

  // How the two texts of a pair stand in this window: part of what was shown.
  layout() {
    const pair = this.root.querySelectorAll(".judge-texts .judge-answer");
    if (pair.length !== 2) return "";
    const [one, two] = Array.from(pair, (each) => each.getBoundingClientRect());
    return two.top < one.bottom && two.left >= one.right - 1 ? "side_by_side" : "stacked";
  }

  key(event) {
    const { data } = this;
    if (!data || !this.root.isConnected || event.repeat || event.altKey || event.isComposing) return;
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey) && this.root.contains(event.target)) {
      event.preventDefault();
      this.save();
      return;
    }
    if (event.ctrlKey || event.metaKey || typing(event.target)) return;
    const elsewhere = event.target instanceof HTMLElement && !this.root.contains(event.target);
    if (event.key === "Enter") {
      if (elsewhere && event.target.closest("button, a, summary, [role=button]")) return;
      event.preventDefault();
      if (data.feedback) this.act("continue");
      else this.save();
      return;
    }
    const pressed = event.key.length === 1 ? event.key.toUpperCase() : event.key;
    const answer = data.answers.find((each) => each.keys.includes(pressed));
    if (answer) {
      event.preventDefault();
      this.choose({ answer: answer.value });
      return;
    }
    const level = this.asksConfidence() && data.levels.find((each) => each.key === pressed);
    if (level) this.choose({ confidence: level.value });
  }

  say(words) {
    if (this.status) this.status.textContent = words || this.data.hint || "";
  }

  button(name, key, pressed, press, kind) {
    const made = make("button", `judge-button${kind ? ` judge-${kind}` : ""}`);
    made.type = "button";
    made.appendChild(make("span", "", name));
    if (key) made.appendChild(make("kbd", "judge-key", key));
    if (pressed !== null) made.setAttribute("aria-pressed", String(pressed));
    if (this.sent) made.setAttribute("aria-disabled", "true");
    made.addEventListener("click", press);
    return made;
  }

  draw() {
    const { data } = this;
    const fresh = this.drawn !== placeOf(data);
    if (fresh) {
      this.drawn = placeOf(data);
      this.root.dataset.shows = this.drawn; // for tests of a whole session
      this.root.replaceChildren();
      this.root.classList.toggle("judge-alone", !data.cards);
      const texts = make("div", "judge-place-texts");
      texts.innerHTML = data.texts; // escaped by the server's templates
      const cards = make("div", "judge-place-cards");
      cards.innerHTML = data.cards;
      this.panel = make("div", "judge-place-answer");
      this.root.append(texts, ...(data.cards ? [cards] : []), this.panel);
      this.reason = null;
    }
    const focused = document.activeElement;
    const place = focused && this.panel.contains(focused) ? focused.dataset.place : "";
    const parts = data.feedback ? this.feedback() : this.question();
    if (!this.status) this.status = make("p", "judge-status");
    this.status.setAttribute("role", "status");
    this.panel.replaceChildren(...parts, this.status);
    this.root.classList.toggle("judge-waiting", Boolean(this.sent));
    if (place) this.panel.querySelector(`[data-place="${place}"]`)?.focus();
  }

  feedback() {
    const { data } = this;
    const told = make("p", `judge-told${data.feedback.right ? " judge-right" : ""}`, data.feedback.text);
    told.setAttribute("role", "alert");
    const next = this.button(data.words.continue, "Enter", null, () => this.act("continue"), "save");
    next.dataset.place = "save";
    return [told, next];
  }

  question() {
    const { data, chosen } = this;
    const parts = [make("h2", "judge-question", data.question)];
    const answers = make("div", "judge-choices");
    for (const each of data.answers) {
      const made = this.button(each.name, each.keys[0], chosen.answer === each.value, () =>
        this.choose({ answer: each.value }));
      made.dataset.place = `answer-${each.value}`;
      answers.appendChild(made);
    }
    parts.push(answers);
    if (this.asksConfidence()) {
      parts.push(make("p", "judge-ask", data.words.sure));
      const levels = make("div", "judge-sure");
      for (const each of data.levels) {
        const made = this.button(each.name, each.key, chosen.confidence === each.value, () =>
          this.choose({ confidence: each.value }));
        made.dataset.place = `sure-${each.value}`;
        levels.appendChild(made);
      }
      parts.push(levels);
    }
    if (data.reason) {
      if (!this.reason) this.reason = this.reasonBox();
      this.reason.querySelector("textarea").readOnly = Boolean(this.sent);
      parts.push(this.reason);
    }
    const named = data.answers.find((each) => each.value === chosen.answer);
    const save = this.button(
      named ? `${data.words.save}: ${named.name}` : data.words.save, "Enter", null,
      () => this.save(), this.missing() ? "unready" : "save");
    save.dataset.place = "save";
    parts.push(save);
    if (data.changing) {
      const keep = this.button(data.words.keep, "", null, () => this.act("keep"), "plain");
      keep.dataset.place = "keep";
      parts.push(keep);
    }
    return parts;
  }

  reasonBox() {
    const label = make("label", "judge-reason");
    label.appendChild(make("span", "judge-ask", this.data.words.reason));
    const box = make("textarea");
    box.rows = 3;
    box.maxLength = this.data.longest;
    box.value = this.chosen.reason;
    box.dataset.place = "reason";
    box.addEventListener("input", () => {
      this.chosen.reason = box.value;
      this.draft();
    });
    label.appendChild(box);
    return label;
  }
}

export default function ({ data, setStateValue, parentElement }) {
  if (!parentElement.judgeDesk) parentElement.judgeDesk = new Desk(parentElement);
  const desk = parentElement.judgeDesk;
  desk.update(data, (message) => setStateValue("message", message));
  return () => {
    desk.close();
    delete parentElement.judgeDesk;
  };
}
