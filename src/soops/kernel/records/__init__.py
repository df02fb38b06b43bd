"""What is on disk about runs: directories, records, journal, index. Knows of no table."""
