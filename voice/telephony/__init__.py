"""Carriers that place robot calls: ``voice.calls.Carrier`` with one file per vendor, and the simulator."""
