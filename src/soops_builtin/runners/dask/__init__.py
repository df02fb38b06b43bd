"""The runner of dask clusters: ``runner`` on the side of the driver, ``worker`` on the other."""
