"""The networks: one module for each backbone, behind the interface of `gpip.models.interface`."""
