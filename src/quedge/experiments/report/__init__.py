"""One page of all figures and tables in a folder."""
