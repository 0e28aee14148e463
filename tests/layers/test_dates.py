"""Dates as numbers, against Python's calendar."""

import datetime
import math

import numpy as np
import pytest

from thalweg import layers
from thalweg.errors import DTypeError

MOMENTS = np.array(
    [
        *("1970-01-01", "2000-02-29", "2024-02-29T12:30", "2023-12-31T23:59:59.999999", "1900-03-01", "1600-01-01"),
        *("2100-03-01T06:00", "1969-12-31T18:00", "2026-11-28T20:00"),
    ],
    "datetime64[us]",
)
MICROSECONDS = MOMENTS.astype(np.int64)[:, None]


def turns(moment: datetime.datetime) -> dict[str, float]:
    """The share of each cycle that has passed. The year of the layer begins in March, where a leap day is its last."""
    time = (moment - moment.replace(hour=0, minute=0, second=0, microsecond=0)) / datetime.timedelta(days=1)
    march = moment.replace(month=3, day=1, hour=0, minute=0, second=0, microsecond=0)
    if moment < march:
        march = march.replace(year=march.year - 1)
    return {
        "year": (moment - march) / datetime.timedelta(days=366),
        "month": (moment.day - 1 + time) / 31,
        "week": (moment.weekday() + time) / 7,
        "day": time,
    }


def test_cycles_are_those_of_the_calendar():
    each = [turns(moment) for moment in MOMENTS.astype(datetime.datetime)]
    names = ("year", "month", "week", "day")
    expected = [[wave(2 * math.pi * one[name]) for name in names for wave in (math.sin, math.cos)] for one in each]
    # float32 has seven digits of an angle of up to 6.3
    np.testing.assert_allclose(layers.DateCycles(names)(MICROSECONDS), expected, atol=1e-6)


def test_every_day_of_four_centuries_is_counted_right():
    days = np.arange("1900-01-01", "2300-01-01", dtype="datetime64[D]")
    month = layers.DateCycles(("month",))(days.astype("datetime64[us]").astype(np.int64)[:, None])
    of_month = (days - days.astype("datetime64[M]")).astype(int)
    np.testing.assert_allclose(month[:, 1], np.cos(2 * np.pi * of_month / 31), atol=1e-6)


def test_days_are_counted_from_the_origin():
    origin = np.datetime64("2020-01-01", "us")
    layer = layers.DaysSince((int(origin.astype(np.int64)),))
    expected = (MOMENTS - origin) / np.timedelta64(1, "D")
    np.testing.assert_allclose(layer(MICROSECONDS)[:, 0], expected, rtol=1e-7)


def test_a_missing_date_is_nan_days_away_and_nowhere_in_its_cycles():
    missing = np.array([["NaT"]], "datetime64[us]").astype(np.int64)
    assert np.isnan(layers.DaysSince((0,))(missing)).all()
    assert not layers.DateCycles()(missing).any()


@pytest.mark.parametrize("layer", [layers.DaysSince((0,)), layers.DateCycles()])
def test_what_holds_no_microseconds_is_refused(layer):
    with pytest.raises(DTypeError, match="moments"):
        layer(np.zeros((2, 1), np.float32))
