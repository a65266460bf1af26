"""The page of an execution: one HTML file that needs no network and no script, and is made from the report alone."""

from __future__ import annotations

from report.execution import execution_page

__all__ = ["execution_page"]
