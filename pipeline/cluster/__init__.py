"""More than one machine, on Ray: a function and its settings enter, and what its workers made of them leaves.

The only folder that imports Ray, and only when a conf file asks for workers. What the workers learn, or how they divide
a table, does not belong here.
"""
