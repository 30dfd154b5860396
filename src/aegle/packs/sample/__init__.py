"""The sample hospital: seeded patients, wards, devices, hosts, logs, an intrusion, gold labels."""
