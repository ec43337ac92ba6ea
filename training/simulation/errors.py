"""What can stop a simulation; each message says what to do.

SimulationError
├── WorldBroken   a process ended, or did not do what it should in time
├── NoReply       somebody asked in vain
├── OtherPlan     the folder holds another simulation
└── Stopped       somebody stopped it
"""

from __future__ import annotations


class SimulationError(ValueError):
    """Base of all."""


class WorldBroken(SimulationError):
    """A process of the simulated installation ended, or did not do what it should in time; its log is named."""


class NoReply(SimulationError):
    """A simulated person, or the measurement, waited in vain."""


class OtherPlan(SimulationError):
    """The folder holds another simulation, which this one must not be mixed with."""


class Stopped(SimulationError):
    """Somebody stopped the simulation; nothing that was lived is lost."""
