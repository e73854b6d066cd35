"""The one molecular-dynamics runner; where the forces come from is an argument."""
