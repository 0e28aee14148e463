"""Arrays in and out: the files that hold data sets and the files that hold models."""
