"""The ground rules: records, ports, packs, errors, plugins, settings, artifacts, observation."""
