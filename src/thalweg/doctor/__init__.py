"""What watches a training and says what is wrong with it. Users meet it as ``thalweg.diagnosis``."""
