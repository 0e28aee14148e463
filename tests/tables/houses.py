"""Tables that are made up, with a column of every kind."""

import numpy as np

TOWNS = np.array(["Bonn", "Kiel", "Ulm", None], object)


def houses(rows=300, seed=0):
    """Name -> column. The price follows from size, rooms and town; "kind" says whether it is high."""
    random = np.random.default_rng(seed)
    size, rooms = random.normal(100, 30, rows), random.integers(1, 8, rows)
    town = TOWNS[random.integers(0, 4, rows)]
    price = 1000 * size + 5000 * rooms + 30_000 * (town == "Ulm") + random.normal(0, 1000, rows)
    return {
        "size": np.where(random.random(rows) < 0.1, np.nan, size),
        "rooms": rooms,
        "town": town,
        "sold": np.datetime64("2015-01-01", "us") + random.integers(0, 2000, rows).astype("timedelta64[D]"),
        "garden": random.random(rows) < 0.3,
        "zip_code": 10_000 + random.integers(0, 12, rows),
        "note": np.array([f"seen by agent {i}" for i in range(rows)], object),
        "country": np.full(rows, "Germany", object),
        "number": np.arange(rows),
        "gone": np.full(rows, np.nan),
        "price": price,
        "kind": np.where(price > np.median(price), "dear", "cheap").astype(object),
    }
