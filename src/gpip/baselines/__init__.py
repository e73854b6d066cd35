"""Networks of other packages, trained and tested by their own commands on the frames of an experiment."""
