"""Node sets: strategies' parts by name, from a signal and bars to orders or labels. `attach` makes one."""

from qmtl.sdk.nodesets.node_set import Capabilities, Guard, NodeSet
from qmtl.sdk.nodesets.recipes import attach, names

__all__ = ["Capabilities", "Guard", "NodeSet", "attach", "names"]
