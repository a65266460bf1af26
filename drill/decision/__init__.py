"""Scenarios of the decision: who says what of which site, and what the controller makes of it.

`expected_outcomes.py` is the table of them, with how each must end; `scenarios.py` runs them, without clients.
"""
