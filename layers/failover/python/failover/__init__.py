"""What the steps of a failover share: plan, ledger, evidence, decision, and ports to Kafka, link, gateway and DNS.

Import the rooms by name (`from failover.plan.model import Plan`): nothing is re-exported here, so that a function loads
only what it uses.
"""

from failover.sam_local import refuse_real_aws

# Here, since no function can do without this package: before its first call, and whatever it would call with.
refuse_real_aws()
