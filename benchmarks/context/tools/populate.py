"""What installing packages does to a file system: COUNT files below TARGET, most of them small, a few large."""

import random
import sys
from pathlib import Path

target, count = Path(sys.argv[1]), int(sys.argv[2])
dice = random.Random(count)
pool = " ".join(f"{dice.getrandbits(dice.choice((8, 16, 24))):x}" for _ in range(200_000)).encode()
for number in range(count):
    folder = target / f"package{number // 100:03}" / f"part{number // 20 % 5}"
    if number % 20 == 0:
        folder.mkdir(parents=True)
    size = min(int(dice.lognormvariate(7.6, 1.4)), 256 << 10)
    start = dice.randrange(len(pool) - size)
    (folder / f"file{number:05}").write_bytes(pool[start : start + size])
