#!/usr/bin/env python3
"""KITTI's tracking set as MOTChallenge folders, for `scripts/eval tracking --kitti`.

    kitti.py AB3DMOT OUT

AB3DMOT: a copy of github.com/xinshuoweng/AB3DMOT, which has the ground truth of KITTI's 21 training sequences and PointRCNN's
detections on them (car, pedestrian; with boxes in the picture). What lies on objects that do not count (`DontCare`, and what
looks alike: vans, people who sit or ride) is left out of the detections. Sequences with fewer than 200 boxes are left out, and of
the pedestrians 13 and 17, which MOT15 has, too.
"""

import sys
from pathlib import Path

ALIKE = {"Car": ("Van", "DontCare"), "Pedestrian": ("Person", "Cyclist", "DontCare")}
IN_MOT15 = {"Pedestrian": (13, 17)}
LEAST = 200


def covered(box, other):
    """Share of `box` that `other` covers; both left, top, right, bottom."""
    width = min(box[2], other[2]) - max(box[0], other[0])
    height = min(box[3], other[3]) - max(box[1], other[1])
    area = (box[2] - box[0]) * (box[3] - box[1])
    return max(width, 0) * max(height, 0) / area if area > 0 else 0


def row(frame, number, box, score):
    left, top, right, bottom = box
    return f"{frame + 1},{number},{left:.2f},{top:.2f},{right - left:.2f},{bottom - top:.2f},{score},-1,-1,-1\n"


def convert(source, out):
    for kind, alike in ALIKE.items():
        for number in sorted(set(range(21)) - set(IN_MOT15.get(kind, ()))):
            truth, others, frames = [], {}, 0
            for line in (source / f"scripts/KITTI/label/{number:04}.txt").read_text().splitlines():
                words = line.split()
                frame, box = int(words[0]), [float(w) for w in words[6:10]]
                frames = max(frames, frame + 1)
                if words[2] == kind:
                    truth.append(row(frame, int(words[1]) + 1, box, 1))
                elif words[2] in alike:
                    others.setdefault(frame, []).append(box)
            if len(truth) < LEAST:
                continue
            found = []
            for line in (source / f"data/KITTI/detection/pointrcnn_{kind}_val/{number:04}.txt").read_text().splitlines():
                words = line.split(",")
                frame, box = int(words[0]), [float(w) for w in words[2:6]]
                if not any(covered(box, other) > 0.5 for other in others.get(frame, ())):
                    found.append(row(frame, -1, box, words[6]))
            folder = out / kind / f"{kind}-{number:02}"
            for name, rows in (("gt/gt.txt", truth), ("det/det.txt", found)):
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
                (folder / name).write_text("".join(rows))
            about = f"[Sequence]\nname={folder.name}\nframeRate=10\nseqLength={frames}\nimWidth=1242\nimHeight=375\n"
            (folder / "seqinfo.ini").write_text(about)


if __name__ == "__main__":
    convert(Path(sys.argv[1]), Path(sys.argv[2]))
