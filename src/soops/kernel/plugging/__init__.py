"""How behaviour is found: specs, hook specifications, discovery, registry."""
