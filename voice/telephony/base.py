"""The interface that every carrier fulfils, by the name under which the house looks for it.

It is defined in ``voice.calls``, where a web worker may read it without reaching this package.
"""

from voice.calls import CallOrder, CallResult, CallStatus, Carrier

__all__ = ["CallOrder", "CallResult", "CallStatus", "Carrier"]
