"""Every conversion factor and calendar constant, once.

A name reads "how many of the first word in one of the last": ``SECONDS_PER_HOUR``. Nothing else in the
project writes 730, 2**30 or 1e12.
"""

from typing import Final

SECONDS_PER_MINUTE: Final = 60
SECONDS_PER_HOUR: Final = 3600
MINUTES_PER_HOUR: Final = 60
HOURS_PER_DAY: Final = 24
HOURS_PER_WEEK: Final = 168
DAYS_PER_WEEK: Final = 7
HOURS_PER_MONTH: Final = 730
"""AWS and most clouds price a month as 730 hours (8,760 hours a year / 12)."""
HOURS_PER_YEAR: Final = 8760
MONTHS_PER_YEAR: Final = 12
DAYS_PER_MONTH: Final = HOURS_PER_MONTH / HOURS_PER_DAY
SECONDS_PER_DAY: Final = SECONDS_PER_HOUR * HOURS_PER_DAY

TOKENS_PER_MTOK: Final = 1_000_000
BYTES_PER_GIB: Final = 2**30
BYTES_PER_MIB: Final = 2**20
BYTES_PER_GB: Final = 10**9
MIB_PER_GIB: Final = 1024
BITS_PER_BYTE: Final = 8
FLOPS_PER_TFLOPS: Final = 10**12
WATTS_PER_KILOWATT: Final = 1000
NANOSECONDS_PER_SECOND: Final = 1_000_000_000
MILLISECONDS_PER_SECOND: Final = 1000
MICROSECONDS_PER_SECOND: Final = 1_000_000
PICO_USD_PER_USD: Final = 10**12
