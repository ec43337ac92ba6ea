"""Engines: one file each, all of them `models.engine.Engine`."""
