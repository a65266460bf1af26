"""Scenarios of the decision: who says what of which site, and what the controller makes of it.

`endings.py` is the table of them, with how each must end; `stories.py` plays them, in a world without clients.
"""
