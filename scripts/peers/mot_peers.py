#!/usr/bin/env python3
"""What scripts/eval asks of Python packages; runs in bench-out/peers. Answers are JSON on standard output.

    mot_peers.py figures GT BENCHMARK RESULTS ...      figures of result files by TrackEval and (2015) motmetrics, by folder
    mot_peers.py follow GT DETECTIONS-FILE OUT [MIN]   result files of the trackers of PyPI's `trackers`; MIN: raw scores from
                                                       there on, through a sigmoid
"""

import configparser
import contextlib
import json
import shutil
import sys
import tempfile
import time
from pathlib import Path

import numpy as np


def trackeval_figures(gt, results, benchmark):
    import trackeval

    names = sorted(f.stem for f in results.glob("*.txt"))
    quiet = {"PRINT_CONFIG": False}
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / "tracker/data"
        data.mkdir(parents=True)
        for name in names:
            shutil.copy(results / f"{name}.txt", data)
        lengths = {name: length(gt / name) for name in names}
        dataset = trackeval.datasets.MotChallenge2DBox(
            quiet
            | {"GT_FOLDER": str(gt), "TRACKERS_FOLDER": folder, "OUTPUT_FOLDER": folder, "SEQ_INFO": lengths}
            | {"BENCHMARK": benchmark, "SKIP_SPLIT_FOL": True, "TRACKERS_TO_EVAL": ["tracker"]}
            | {"GT_LOC_FORMAT": "{gt_folder}/{seq}/" + truth(gt / names[0]).relative_to(gt / names[0]).as_posix()}
        )
        off = "PRINT_RESULTS OUTPUT_SUMMARY OUTPUT_DETAILED PLOT_CURVES TIME_PROGRESS PRINT_CONFIG USE_PARALLEL".split()
        metrics = [m(quiet) for m in (trackeval.metrics.HOTA, trackeval.metrics.CLEAR, trackeval.metrics.Identity)]
        found, _ = trackeval.Evaluator(dict.fromkeys(off, False) | {"LOG_ON_ERROR": None}).evaluate([dataset], metrics)
    rows = {}
    for name, row in found["MotChallenge2DBox"]["tracker"].items():
        row = row["pedestrian"]
        hota, clear = row["HOTA"], row["CLEAR"]
        shares = {"hota": hota["HOTA"].mean(), "deta": hota["DetA"].mean(), "assa": hota["AssA"].mean()}
        shares |= {"mota": clear["MOTA"], "idf1": row["Identity"]["IDF1"]}
        counts = {"fp": clear["CLR_FP"], "fn": clear["CLR_FN"], "idsw": clear["IDSW"]}
        figures = {k: 100 * float(v) for k, v in shares.items()} | {k: int(v) for k, v in counts.items()}
        rows["together" if name == "COMBINED_SEQ" else name] = figures
    return rows


def motmetrics_figures(gt, results):
    # motmetrics 1.4 calls a function that NumPy 2 no longer has.
    np.asfarray = lambda a, dtype=float: np.asarray(a, dtype=dtype)
    import motmetrics

    names = sorted(f.stem for f in results.glob("*.txt"))
    pairs = []
    for name in names:
        there = motmetrics.io.loadtxt(str(truth(gt / name)), fmt="mot15-2D", min_confidence=1)
        found = motmetrics.io.loadtxt(str(results / f"{name}.txt"), fmt="mot15-2D")
        pairs.append(motmetrics.utils.compare_to_groundtruth(there, found, "iou", distth=0.5))
    what = ["mota", "idf1", "num_false_positives", "num_misses", "num_switches"]
    table = motmetrics.metrics.create().compute_many(pairs, names=names, metrics=what, generate_overall=True)
    rows = {}
    for name, row in table.iterrows():
        mota, idf1, fp, fn, idsw = (float(row[w]) for w in what)
        figures = {"mota": 100 * mota, "idf1": 100 * idf1, "fp": int(fp), "fn": int(fn), "idsw": int(idsw)}
        rows["together" if name == "OVERALL" else name] = figures
    return rows


def truth(folder):
    return next(p for p in (folder / "gt/gt.txt", folder / "gt.txt") if p.is_file())


def info(folder):
    ini = configparser.ConfigParser()
    ini.read(folder / "seqinfo.ini")
    return ini["Sequence"] if "Sequence" in ini else {}


def length(folder):
    last = lambda: max(int(float(line.split(",")[0])) for line in truth(folder).read_text().splitlines() if line)
    return int(info(folder).get("seqLength") or last())


def follow(gt, file, out, least):
    import supervision
    import trackers

    kinds = {"SORT": trackers.SORTTracker, "ByteTrack": trackers.ByteTrackTracker, "OC-SORT": trackers.OCSORTTracker}
    kinds |= {"C-BIoU": trackers.CBIoUTracker, "BoT-SORT": lambda **k: trackers.BoTSORTTracker(enable_cmc=False, **k)}
    spent = {}
    for kind, make in kinds.items():
        (out / kind).mkdir(parents=True, exist_ok=True)
        for sequence in sorted(p for p in gt.iterdir() if (p / "det" / file).is_file()):
            rows = np.loadtxt(sequence / "det" / file, delimiter=",", ndmin=2)
            if least is not None:
                rows = rows[rows[:, 6] >= least]
                rows[:, 6] = 1 / (1 + np.exp(-rows[:, 6]))
            tracker, lines, seconds = make(frame_rate=float(info(sequence)["frameRate"])), [], 0.0
            for frame in range(1, length(sequence) + 1):
                here = rows[rows[:, 0] == frame]
                boxes = here[:, 2:6].copy()
                boxes[:, 2:] += boxes[:, :2]
                classes = np.zeros(len(here), dtype=int)
                seen = supervision.Detections(xyxy=boxes, confidence=here[:, 6], class_id=classes)
                began = time.perf_counter()
                found = tracker.update(seen)
                seconds += time.perf_counter() - began
                ids = found.tracker_id if found.tracker_id is not None else []
                for box, id in zip(found.xyxy, ids):
                    if id >= 0:
                        x, y, right, bottom = box
                        # Ids start at 0 in this package.
                        lines.append(f"{frame},{id + 1},{x:.2f},{y:.2f},{right - x:.2f},{bottom - y:.2f},1,-1,-1,-1\n")
            (out / kind / f"{sequence.name}.txt").write_text("".join(lines))
            spent.setdefault(kind, {})[sequence.name] = 1e3 * seconds / length(sequence)
    return spent


def main():
    command, gt, *rest = sys.argv[1:]
    # The packages talk; what is asked of them is the answer.
    with contextlib.redirect_stdout(sys.stderr):
        if command == "figures":
            benchmark, *folders = rest
            answer = {}
            for results in folders:
                answer[results] = {"trackeval": trackeval_figures(Path(gt), Path(results), benchmark)}
                if benchmark == "MOT15":
                    answer[results]["motmetrics"] = motmetrics_figures(Path(gt), Path(results))
        else:
            file, out, *least = rest
            answer = follow(Path(gt), file, Path(out), float(least[0]) if least else None)
    print(json.dumps(answer))


if __name__ == "__main__":
    main()
