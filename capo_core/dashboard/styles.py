"""The few styles that Streamlit's theme has no words for.

Only mixtures of the current text colour are used, so that light and dark theme both come out right
without this code knowing which one is on.
"""

CSS = """<style>
.block-container { max-width: 1280px; }
.stApp h1 { letter-spacing: -0.01em; line-height: 1.25; padding-bottom: 0.25rem; }
.capo-says { font-size: 1.12rem; line-height: 1.55; max-width: 62rem; margin: 0 0 0.35rem 0; }
.capo-note { opacity: 0.72; font-size: 0.93rem; max-width: 62rem; margin: 0; }
.capo-simulated {
  margin: 0; padding: 0.45rem 0.8rem; font-size: 0.93rem; border-left: 3px solid #C98A1B;
  background: color-mix(in srgb, #C98A1B 11%, transparent);
}
.capo-chain h3 { margin: 0 0 0.3rem 0; font-size: 1rem; padding: 0; }
.capo-chain p { margin: 0; font-size: 0.95rem; line-height: 1.5; overflow-wrap: anywhere; }
.capo-chain .capo-what { opacity: 0.72; font-size: 0.88rem; margin-bottom: 0.5rem; }
.capo-answers {
  display: grid; gap: 0.8rem; grid-template-columns: repeat(auto-fit, minmax(17rem, 1fr));
}
/* Four stand two by two: a fourth alone under three looks left over. */
.capo-answers:has(> :nth-child(4):last-child) {
  grid-template-columns: repeat(auto-fit, minmax(max(17rem, 40%), 1fr));
}
.capo-answer {
  border-left: 3px solid var(--who, currentColor); padding: 0.15rem 0 0.15rem 0.8rem;
  min-width: 0;
}
.capo-answer .capo-head { font-size: 0.88rem; margin: 0 0 0.2rem 0; }
.capo-answer .capo-head b { font-weight: 600; }
.capo-label { opacity: 0.75; }
.capo-text {
  margin: 0; line-height: 1.55; white-space: pre-wrap; overflow-wrap: anywhere;
}
.capo-input { opacity: 0.38; }
mark {
  background: color-mix(in srgb, #E69F00 34%, transparent); color: inherit; border-radius: 2px;
  padding: 0 0.1em;
}
.capo-item {
  background: color-mix(in srgb, currentColor 4%, transparent); border-radius: 6px;
  padding: 0.8rem 1rem; margin-bottom: 0.9rem;
}
.capo-item p { margin: 0 0 0.35rem 0; line-height: 1.5; overflow-wrap: anywhere; }
.capo-item p:last-child { margin: 0; }
.capo-role { opacity: 0.65; font-size: 0.85rem; margin-right: 0.5rem; }
.capo-dot {
  display: inline-block; width: 0.7em; height: 0.7em; border-radius: 50%; margin-right: 0.4em;
  background: var(--who, currentColor);
}
@media (max-width: 1150px) {
  [class*="st-key-capo-pair"] > [data-testid="stLayoutWrapper"] > .stHorizontalBlock {
    flex-direction: column;
  }
  [class*="st-key-capo-pair"] > [data-testid="stLayoutWrapper"] > .stHorizontalBlock > .stColumn {
    width: 100%; flex: 1 1 auto;
  }
  [class*="st-key-capo-row"] > [data-testid="stLayoutWrapper"] > .stHorizontalBlock,
  [class*="st-key-capo-four"] > [data-testid="stLayoutWrapper"] > .stHorizontalBlock {
    flex-wrap: wrap;
  }
  [class*="st-key-capo-four"] > [data-testid="stLayoutWrapper"] > .stHorizontalBlock > .stColumn {
    flex: 1 1 45%; min-width: 45%;
  }
  [class*="st-key-capo-row"] > [data-testid="stLayoutWrapper"] > .stHorizontalBlock > .stColumn {
    flex: 1 1 30%; min-width: 30%;
  }
  [class*="st-key-capo-row"] > [data-testid="stLayoutWrapper"] > .stHorizontalBlock
    > .stColumn:first-child { flex-basis: 100%; }
}
.capo-house { font-weight: 650; font-size: 1.05rem; margin: 0; letter-spacing: 0.01em; }
.stMain [data-testid="stPageLink"] a p { text-decoration: underline; text-underline-offset: 0.2em; }
.capo-figures { display: flex; flex-wrap: wrap; gap: 0.6rem 2.2rem; }
.capo-figures div span { display: block; font-size: 0.85rem; opacity: 0.7; }
.capo-figures div b { font-size: 1.15rem; font-weight: 600; font-variant-numeric: tabular-nums; }
</style>"""
