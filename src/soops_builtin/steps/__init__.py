"""Steps: post-processing of a scooped table."""
