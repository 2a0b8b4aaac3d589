"""Convert points from the coordinate systems of reports to WGS-84, as vectors of degrees.

GCJ-02 is WGS-84 shifted by a smooth function of the location, known from observation (about 490 m
in Ningbo). The forward shift is the one used by all open implementations (for instance
`eviltransform` and `coordtransform`). Its inverse has no closed form and is found by fixed-point
iteration, which reduces the error by a factor of about 10^3 a step: three steps leave less than
1e-9 degrees. CGCS2000 differs from WGS-84 by centimetres and is stored as it is.
"""

import numpy as np
from numpy.typing import NDArray

Degrees = NDArray[np.float64]

_SEMI_MAJOR_AXIS = 6_378_245.0  # metres, of the Krasovsky 1940 ellipsoid that defines the shift
_ECCENTRICITY_SQUARED = 0.00669342162296594323
_STEPS = 4


def to_wgs84(lon: Degrees, lat: Degrees, is_gcj02: NDArray[np.bool_]) -> tuple[Degrees, Degrees]:
    """Longitudes and latitudes in WGS-84; NaN stays NaN. Rows that are not `is_gcj02` are
    unchanged."""
    lon, lat = lon.copy(), lat.copy()
    shifted = is_gcj02 & _in_china(lon, lat)
    if shifted.any():
        lon[shifted], lat[shifted] = _inverse(lon[shifted], lat[shifted])
    return lon, lat


def gcj02_shift(lon: Degrees, lat: Degrees) -> tuple[Degrees, Degrees]:
    """The shift that GCJ-02 adds to a WGS-84 point, in degrees of longitude and latitude."""
    x, y = lon - 105.0, lat - 35.0
    common = 20 * np.sin(6 * x * np.pi) + 20 * np.sin(2 * x * np.pi)
    d_lat = -100 + 2 * x + 3 * y + 0.2 * y**2 + 0.1 * x * y + 0.2 * np.sqrt(np.abs(x))
    d_lat += (common + _waves(y, 20, 40) + 160 * np.sin(y / 12 * np.pi) + 320 * np.sin(y * np.pi / 30)) * 2 / 3
    d_lon = 300 + x + 2 * y + 0.1 * x**2 + 0.1 * x * y + 0.1 * np.sqrt(np.abs(x))
    d_lon += (common + _waves(x, 20, 40) + 150 * np.sin(x / 12 * np.pi) + 300 * np.sin(x / 30 * np.pi)) * 2 / 3
    phi = np.radians(lat)
    magic = 1 - _ECCENTRICITY_SQUARED * np.sin(phi) ** 2
    meridian = _SEMI_MAJOR_AXIS * (1 - _ECCENTRICITY_SQUARED) / (magic * np.sqrt(magic))
    return np.degrees(d_lon / (_SEMI_MAJOR_AXIS / np.sqrt(magic) * np.cos(phi))), np.degrees(d_lat / meridian)


def _waves(at: Degrees, short: float, long: float) -> Degrees:
    return np.asarray(short * np.sin(at * np.pi) + long * np.sin(at / 3 * np.pi))


def _inverse(lon: Degrees, lat: Degrees) -> tuple[Degrees, Degrees]:
    guess_lon, guess_lat = lon, lat
    for _ in range(_STEPS):
        d_lon, d_lat = gcj02_shift(guess_lon, guess_lat)
        guess_lon, guess_lat = lon - d_lon, lat - d_lat
    return guess_lon, guess_lat


def _in_china(lon: Degrees, lat: Degrees) -> NDArray[np.bool_]:
    """The rectangle in which the shift is applied; elsewhere GCJ-02 equals WGS-84."""
    return (lon > 72.004) & (lon < 137.8347) & (lat > 0.8293) & (lat < 55.8271)
