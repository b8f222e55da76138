"""A ceremony over the network: one contributor at a time, in the order in which they came."""

from zkchain.coordinator.joining import join as join
from zkchain.coordinator.line import Line as Line
from zkchain.coordinator.line import Terms as Terms
