"""The state machines, written once in Python; what is deployed is their text in Amazon States Language beside it.

`python -m statemachines` writes `*.asl.yaml` anew. `failover.py`, `switchover.py`, `restore.py` and `practice.py` are
flows, `stages.py` what they share, `ends.py` how a flow ends, `blocks.py` what every flow is made of.
"""

from statemachines.failover import failover
from statemachines.practice import practice
from statemachines.restore import restore
from statemachines.rounds import watch, watch_and_sample
from statemachines.switchover import switchover

MACHINES = {
    "failover": failover,
    "practice": practice,
    "restore": restore,
    "switchover": switchover,
    "watch": watch,
    "watch_and_sample": watch_and_sample,
}
