"""The technologies behind the ports: one file each, named <port>_<technology>."""
