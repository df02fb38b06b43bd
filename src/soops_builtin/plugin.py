"""The builtin plugin: specs only. Nothing of what they name is imported here."""
