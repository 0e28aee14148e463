"""What is known before the first step: of the data, the end of the network, its initial weights and the plan.

Each module measures one part of the ``record.Record``; none of them judges.
"""
