"""The drill's report: `report_of` says what there is to say, `write_report` writes it as JSON and as one HTML page."""

from __future__ import annotations

from drill.report.build import ControllerFigures, Run, controller_figures, report_of
from drill.report.model import Moment, Report, Step
from drill.report.rto import Milestones
from drill.report.write import write_report

__all__ = [
    "ControllerFigures",
    "Milestones",
    "Moment",
    "Report",
    "Run",
    "Step",
    "controller_figures",
    "report_of",
    "write_report",
]
