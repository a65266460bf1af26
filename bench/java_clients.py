"""How long clients of Java stand still where both clusters are Apache Kafka: for a loud loss, by settings and role,
medians of five drills in which all of them work side by side; 25 minutes. Broken off, it goes on where it was."""

from __future__ import annotations

from bench.client_families import summary
from bench.drills import forget, repeated
from bench.result import Result


def measure() -> list[Result]:
    """Run the drills, and sum up their reports.

    Raises:
        NotMeasured: if a drill fails, or Java is missing.
    """
    options = ("--loss", "loud", "--kafka", "apache", "--more-clients", "java")
    reports = repeated("java-clients", *options)
    results = list(summary("loud.apache", reports))
    forget("java-clients")
    return results
