"""Pictures for a paper or a notebook, one function each, on Matplotlib's axes; `quedge.plot` is their face."""
