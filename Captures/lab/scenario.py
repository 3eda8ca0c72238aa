"""The register of scenarios: each is one function, with what it records and what it teaches."""

import dataclasses
import importlib
import pathlib


@dataclasses.dataclass(frozen=True)
class Scenario:
    name: str
    family: str
    # clean: an ordinary network. near: close to a rule, and no fault. fault: a rule must be raised.
    kind: str
    rule: str
    teaches: str
    record: object


SCENARIOS = {}


def scenario(name, kind, teaches, rule=None):
    """Registers a function of (lab, bundle); the first word of its module's name is the family."""

    def register(function):
        family = function.__module__.removeprefix("scenarios_").split("_")[0]
        if name in SCENARIOS:
            raise ValueError(f"two scenarios are named {name}")
        SCENARIOS[name] = Scenario(name, family, kind, rule, teaches, function)
        return function

    return register


def load():
    here = pathlib.Path(__file__).parent
    for module in sorted(here.glob("scenarios_*.py")):
        importlib.import_module(module.stem)
    return SCENARIOS
