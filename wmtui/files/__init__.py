"""Files: which ones a table has, and which of them are loaded next.

`listing` finds the candidates, `verdicts` judges each of them by one pure rule, and `selection` brings the two together
with what is loaded and with the `decisions` of operators; every preview and every run asks it. `summary` counts what
came of it. `leftovers` are parts that no load will ever take.
"""
