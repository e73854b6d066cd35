"""Tables, figures and one page of all results; nothing is computed here but means and spreads."""
