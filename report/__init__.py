"""The pages that people see: of an execution, and of a question. Each needs no network and no script."""

from __future__ import annotations

from report.approval import answer_page, approval_page
from report.execution import execution_page

__all__ = ["answer_page", "approval_page", "execution_page"]
