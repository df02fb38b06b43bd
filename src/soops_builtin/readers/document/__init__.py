"""The study in one file: its structure, whatever the form (TOML, YAML, JSON) it is written in."""
