"""Styles of the page Studies: the way of a study, and a trial as judges see it.

Only mixtures of the current text colour are used, as in `styles`.
"""

CSS = """<style>
.stApp ol.capo-way { list-style: none; display: flex; flex-wrap: wrap; gap: 0.4rem;
  margin: 0 0 0.5rem 0; padding: 0; }
.stApp ol.capo-way li { padding: 0.15rem 0.75rem; border-radius: 999px; font-size: 0.88rem;
  margin: 0;
  border: 1px solid color-mix(in srgb, currentColor 22%, transparent);
  color: color-mix(in srgb, currentColor 62%, transparent); }
.stApp ol.capo-way li.capo-past { background: color-mix(in srgb, currentColor 6%, transparent); }
.stApp ol.capo-way li.capo-here { color: inherit; font-weight: 600;
  border-color: color-mix(in srgb, currentColor 70%, transparent); }
.capo-trial { border: 1px solid color-mix(in srgb, currentColor 18%, transparent);
  border-radius: 8px; padding: 1rem 1.1rem; }
.capo-trial h4 { margin: 0 0 0.7rem 0; padding: 0; font-size: 1rem; }
.capo-trial .judge-item { opacity: 0.78; font-size: 0.9rem; margin-bottom: 0.4rem; }
.capo-trial p { margin: 0 0 0.2rem 0; line-height: 1.5; overflow-wrap: anywhere; }
.capo-trial .capo-note { margin-bottom: 0.4rem; }
.capo-trial .judge-role { opacity: 0.75; font-size: 0.85em; margin-right: 0.45rem; }
.capo-trial .judge-label { opacity: 0.75; font-size: 0.86rem; }
.capo-trial .judge-answer { padding-left: 0.8rem; min-width: 0;
  border-left: 3px solid color-mix(in srgb, currentColor 35%, transparent); }
.capo-trial .judge-one + .judge-one { margin-top: 1rem; }
.capo-trial .judge-pair, .capo-trial .judge-each { display: grid; gap: 0.9rem;
  grid-template-columns: repeat(auto-fit, minmax(15rem, 1fr)); }
.capo-trial .judge-cards { margin-top: 1rem; padding: 0.6rem 0.8rem; border-radius: 6px;
  background: color-mix(in srgb, currentColor 4%, transparent); font-size: 0.92rem; }
.capo-trial h3 { margin: 0 0 0.3rem 0; padding: 0; font-size: 1rem; }
.capo-trial .judge-row { display: grid; gap: 0.8rem; }
.capo-trial .judge-example + .judge-example { margin-top: 0.7rem; }
.capo-trial .judge-all { display: none; }
@media (min-width: 1100px) {
  .capo-trial .judge-both .judge-all { display: block; }
  .capo-trial .judge-both .judge-each { display: none; }
}
</style>"""
