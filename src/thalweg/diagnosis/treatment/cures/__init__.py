"""What is tried against each disease: a file for each, found by themselves."""
