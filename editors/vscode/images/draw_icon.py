#!/usr/bin/env python3
"""Draws the icon of the extension: two arrows that go round, and a check mark in their middle.

    python3 images/draw_icon.py

Writes icon.png beside this file. Needs nothing but Python.
"""

import math
import struct
import zlib
from pathlib import Path

SIZE, SAMPLES = 256, 3
GROUND, ARROWS, MARK = (0, 105, 92), (255, 255, 255), (255, 213, 79)
CENTER, RADIUS, WIDTH, CORNER = 128, 78, 15, 48
# The arrows start and end at these angles, clockwise from the right.
ARCS = [(200, 335), (20, 155)]
CHECK = [(94, 131), (119, 155), (164, 104)]


def to_segment(x, y, start, end):
    """How far a point is from a segment."""
    (ax, ay), (bx, by) = start, end
    along = ((x - ax) * (bx - ax) + (y - ay) * (by - ay)) / ((bx - ax) ** 2 + (by - ay) ** 2)
    along = min(1, max(0, along))
    return math.hypot(x - ax - along * (bx - ax), y - ay - along * (by - ay))


def on_arrow(x, y):
    distance, angle = math.hypot(x - CENTER, y - CENTER), math.degrees(math.atan2(y - CENTER, x - CENTER)) % 360
    for start, end in ARCS:
        if start <= angle <= end and abs(distance - RADIUS) <= WIDTH / 2:
            return True
        # The head gets narrower over 26 degrees.
        head = angle - end
        if 0 <= head <= 26 and abs(distance - RADIUS) <= 23 * (1 - head / 26):
            return True
    return False


def in_ground(x, y):
    dx, dy = (max(0, abs(at - CENTER) - (SIZE / 2 - CORNER)) for at in (x, y))
    return math.hypot(dx, dy) <= CORNER


def color(x, y):
    """Red, green, blue and opacity of a point."""
    if not in_ground(x, y):
        return 0, 0, 0, 0
    if any(to_segment(x, y, *ends) <= 8.5 for ends in zip(CHECK, CHECK[1:])):
        return *MARK, 1
    return *(ARROWS if on_arrow(x, y) else GROUND), 1


def pixel(column, row):
    """The average of the points of a pixel."""
    points = [color(column + (i + 0.5) / SAMPLES, row + (j + 0.5) / SAMPLES) for i in range(SAMPLES) for j in range(SAMPLES)]
    opaque = sum(point[3] for point in points)
    mixed = [round(sum(point[i] * point[3] for point in points) / max(opaque, 1)) for i in range(3)]
    return bytes([*mixed, round(255 * opaque / len(points))])


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def main():
    rows = b"".join(b"\0" + b"".join(pixel(column, row) for column in range(SIZE)) for row in range(SIZE))
    header = struct.pack(">IIBBBBB", SIZE, SIZE, 8, 6, 0, 0, 0)
    image = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows, 9)) + chunk(b"IEND", b"")
    (Path(__file__).parent / "icon.png").write_bytes(image)


if __name__ == "__main__":
    main()
