"""What happened in training: plain values that can be printed, saved, and made by hand in a test."""

from thalweg.record.history import History as History
