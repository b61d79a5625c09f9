"""Text for LaTeX: every letter that would stop it, or be lost, as a command that prints it.

Greek and maths letters are those that the product prints, and the rest of their alphabets; other
scripts stay as they are, since LuaLaTeX and XeLaTeX print them with a font that has them.
"""

from __future__ import annotations

_SPECIAL = {"\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_",
            "{": r"\{", "}": r"\}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}",
            "<": r"\textless{}", ">": r"\textgreater{}", "|": r"\textbar{}"}  # fmt: skip

_SIGNS = {"–": "--", "—": "---", "―": "---", "‐": "-", "“": "``", "”": "''", "‘": "`", "’": "'",
          "„": ",,", "‚": ",", "…": r"\ldots{}", "•": r"$\bullet$", "·": r"$\cdot$",
          "°": r"$^{\circ}$", "€": r"\texteuro{}", "™": r"\texttrademark{}",
          "©": r"\textcopyright{}", "®": r"\textregistered{}", "§": r"\S{}", "¶": r"\P{}",
          "£": r"\pounds{}", "¢": r"\textcent{}", "¥": r"\textyen{}", "¡": "!`", "¿": "?`",
          "ª": r"$^{\mathrm{a}}$", "º": r"$^{\mathrm{o}}$",
          "«": r"$\ll$", "»": r"$\gg$", "‹": r"\textless{}", "›": r"\textgreater{}",
          # Spaces that do not break, thin ones, and marks without a width.
          "\u00a0": "~", "\u2007": "~", "\u202f": r"\,", "\u2009": r"\,", "\u200a": r"\,",
          "\u00ad": r"\-", "\u200b": "", "\u2060": "", "\ufeff": ""}  # fmt: skip

_MATHS = {"−": "-", "±": r"\pm", "×": r"\times", "÷": r"\div", "≤": r"\leq", "≥": r"\geq",
          "≠": r"\neq", "≈": r"\approx", "≡": r"\equiv", "≪": r"\ll", "≫": r"\gg", "∝": r"\propto",
          "∼": r"\sim", "∞": r"\infty", "√": r"\surd", "∂": r"\partial", "∇": r"\nabla",
          "∑": r"\sum", "∏": r"\prod", "∫": r"\int", "∈": r"\in", "∉": r"\notin", "∅": r"\emptyset",
          "∩": r"\cap", "∪": r"\cup", "⊂": r"\subset", "⊆": r"\subseteq", "∀": r"\forall",
          "∃": r"\exists", "¬": r"\neg", "∧": r"\wedge", "∨": r"\vee", "‖": r"\Vert", "∥": r"\Vert",
          "→": r"\rightarrow", "←": r"\leftarrow", "↑": r"\uparrow", "↓": r"\downarrow",
          "↔": r"\leftrightarrow", "⇒": r"\Rightarrow", "⇐": r"\Leftarrow",
          "⇔": r"\Leftrightarrow", "⌈": r"\lceil", "⌉": r"\rceil", "⌊": r"\lfloor",
          "⌋": r"\rfloor", "′": "'", "″": "''", "‴": "'''", "⋅": r"\cdot", "∗": r"\ast",
          "★": r"\star", "☆": r"\star", "●": r"\bullet", "○": r"\circ", "►": r"\triangleright",
          "✓": r"\surd", "✕": r"\times", "✗": r"\times"}  # fmt: skip

_FRACTIONS = {"¼": "1/4", "½": "1/2", "¾": "3/4", "⅓": "1/3", "⅔": "2/3", "⅕": "1/5", "⅛": "1/8",
              "⅜": "3/8", "⅝": "5/8", "⅞": "7/8"}  # fmt: skip
_RAISED = dict(zip("⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁼⁽⁾ⁿᵀ", "0123456789+-=()nT", strict=True))
_LOWERED = dict(zip("₀₁₂₃₄₅₆₇₈₉₊₋₌₍₎", "0123456789+-=()", strict=True))

_GREEK_NAMES = (
    "alpha beta gamma delta varepsilon zeta eta theta iota kappa lambda mu nu xi pi rho varsigma "
    "sigma tau upsilon varphi chi psi omega Gamma Delta Theta Lambda Xi Pi Sigma Upsilon Phi Psi "
    "Omega vartheta phi epsilon"
)
_GREEK = dict(zip("αβγδεζηθικλμνξπρςστυφχψωΓΔΘΛΞΠΣΥΦΨΩϑϕϵ", _GREEK_NAMES.split(), strict=True)) | {
    "µ": "mu",
    "∆": "Delta",
    "Ω": "Omega",
}
# Capitals that look like Latin ones, and the small one that does, have no command.
_ALIKE = dict(zip("ΑΒΕΖΗΙΚΜΝΟΡΤΧ", "ABEZHIKMNOPTX", strict=True)) | {"ο": "o"}

_LETTERS = {
    **_SPECIAL,
    **_SIGNS,
    **{letter: f"${command}$" for letter, command in _MATHS.items()},
    **{letter: rf"$\frac{{{top}}}{{{bottom}}}$" for letter, parts in _FRACTIONS.items()
       for top, bottom in [parts.split("/")]},
    **{letter: f"$^{{{plain}}}$" for letter, plain in _RAISED.items()},
    **{letter: f"$_{{{plain}}}$" for letter, plain in _LOWERED.items()},
    **{letter: f"$\\{name}$" for letter, name in _GREEK.items()},
    **{letter: rf"$\mathrm{{{plain}}}$" for letter, plain in _ALIKE.items()},
}  # fmt: skip

_LATIN_1 = "\u00ff"  # the last letter of Latin-1, whose letters pdfLaTeX reads
UNICODE_ENGINE = "% compile with LuaLaTeX or XeLaTeX"


def latex(text: str) -> str:
    """Return `text` with every letter that LaTeX would not print as a command that prints it.

    >>> latex("μ_1 ≥ ½ & more")
    '$\\\\mu$\\\\_1 $\\\\geq$ $\\\\frac{1}{2}$ \\\\& more'
    """
    return "".join(_LETTERS.get(letter, letter) for letter in text)


def latex_cell(text: str) -> str:
    """Return a cell of a table: no paragraph ends in it, and as the first of its row it is not
    read as an argument of the line break before it, as `[A]` and `*` would be."""
    cell = latex(" ".join(text.split()))
    return f"{{}}{cell}" if cell.startswith(("[", "*")) else cell


def engine_note(*texts: str) -> str:
    """Return a comment line that names the engines needed where a text has letters that pdfLaTeX
    does not print; else ""."""
    beyond = any(letter > _LATIN_1 for text in texts for letter in latex(text))
    return f"{UNICODE_ENGINE}\n" if beyond else ""
