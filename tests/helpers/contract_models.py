"""Models of ZkConsumer, ZkRouter and ModelRegistry as state machines, by name."""

from __future__ import annotations

from hypothesis.stateful import RuleBasedStateMachine

from tests.helpers.consumer_model import ConsumerMachine
from tests.helpers.registry_model import RegistryMachine
from tests.helpers.router_model import RouterMachine

MACHINES: dict[str, type[RuleBasedStateMachine]] = {
    "consumer": ConsumerMachine,
    "router": RouterMachine,
    "registry": RegistryMachine,
}
