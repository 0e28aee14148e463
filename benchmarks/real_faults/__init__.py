"""Programs that people asked about because they did not learn, told again in thalweg.

DeepFD (Cao et al. 2022, ICSE, ``Benchmark/Evaluation.xlsx``, Apache-2.0) has a table of 52 such programs, what was
wrong with each, and what four tools said. What the programs did was published with DeepLocalize (Wardat et al. 2021,
ICSE): those facts are told again here, in our words, for all programs that need no data which cannot be made up.
Pictures, tables and texts are of the same kind and scale as the asker's, and smaller where they were large.
"""
