"""scripts/bench events: rows a second into SQLite beside the same run without, and what a dead webhook costs the video."""

import shutil
import socket
import sqlite3
import statistics
import tempfile
from pathlib import Path

from measured import cost, write

# So many measures with a limit on a picture that blinks: each says something with each picture.
MEASURES = 32
BLINK = "pipeline:videotestsrc pattern=blink num-buffers={n} ! video/x-raw,format=I420,width={w},height={h},framerate=25/1"


def in_turn(commands, runs, anew=None):
    """Each command by name, `runs` times in turn after an untimed round; lists of results by name. The folder `anew` is empty each time."""
    results = {name: [] for name in commands}
    for n in range(runs + 1):
        for name, command in commands.items():
            if anew:
                shutil.rmtree(anew, ignore_errors=True)
            found = cost(command)._asdict()
            if n > 0:
                results[name].append(found)
    return results


def median(results, what="wall"):
    return statistics.median(r[what] for r in results)


def run(args, framewright, out, about):
    runs = args.runs or 5
    frames = 1000 if args.quick else 4000
    work = Path(tempfile.mkdtemp(prefix="events-", dir=out))
    base = [str(framewright), "run", "-q", "--overwrite"]
    rows = []
    results = {}

    # Many events.
    blink = BLINK.format(n=frames, w=160, h=120)
    ops = [a for _ in range(MEASURES) for a in ("--op", "brightness:max=0.5")]
    db = work / "events.db"
    plain = [*base, blink, *ops, "-o", "null"]
    found = in_turn({"without": plain, "sqlite": [*plain, "-o", str(db)]}, runs)
    results["events"] = found
    count = sqlite3.connect(db).execute("SELECT count(*) FROM events").fetchone()[0]
    ratio = median(found["sqlite"]) / median(found["without"])
    rows.append(["events into SQLite", f"{count} events, {frames} pictures of 160×120, {MEASURES} measures",
                 f"{count / median(found['sqlite']):,.0f} events/s", "≥ 20,000", f"{ratio:.3f}"])

    # Many detections on pictures of a usual size.
    each, n = 300, frames // 4
    boxes = work / "boxes.txt"
    with open(boxes, "w") as text:
        for f in range(1, n + 1):
            for k in range(each):
                text.write(f"{f},{k + 1},{k * 4},{k % 7 * 90},40,80,0.9,1\n")
    big = BLINK.format(n=n, w=1280, h=720)
    plain = [*base, big, "--op", f"detect:model=boxes:{boxes}", "-o", "null"]
    db = work / "rows.db"
    found = in_turn({"without": plain, "sqlite": [*plain, "-o", str(db)], "jsonl": [*plain, "-o", str(work / "r.jsonl")]}, runs)
    results["detections"] = found
    count = sqlite3.connect(db).execute("SELECT (SELECT count(*) FROM detections) + (SELECT count(*) FROM frames)").fetchone()[0]
    for name, title in (("sqlite", "detections into SQLite"), ("jsonl", "detections into JSON Lines")):
        rows.append([title, f"{count} rows, {n} pictures of 1280×720, {each} boxes on each",
                     f"{count / median(found[name]):,.0f} rows/s", "", f"{median(found[name]) / median(found['without']):.3f}"])

    # A dead webhook: one that refuses, one that takes connections and never answers.
    silent = socket.create_server(("127.0.0.1", 0))
    gone = socket.create_server(("127.0.0.1", 0))
    ports = {"refuses": gone.getsockname()[1], "never answers": silent.getsockname()[1]}
    gone.close()
    # Long: what is not delivered is synced to the disk once, at the end.
    frames *= 3
    spool = work / "spool"
    # Nothing but that, and beside an encoder as people have it. Nobody waits at the end: what the video costs is asked.
    video = ["-o", str(work / "video.mkv"), *"--encoder x264 --preset veryfast".split()]
    for what, count, to in (("thrown away", frames, ["-o", "null"]), ("encoded", frames // 4, video)):
        big = BLINK.format(n=count, w=1280, h=720)
        plain = [*base, big, "--op", "brightness:max=0.5", *to]
        dead = {name: [*plain, "-o", f"webhook:http://127.0.0.1:{port}/", "--set", "sink.1.wait=0s", "--set", f"sink.1.spool={spool}"]
                for name, port in ports.items()}
        found = in_turn({"without": plain, **dead}, runs, spool)
        results[f"webhook, {what}"] = found
        for name in dead:
            cpu = median(found[name], "cpu") / median(found["without"], "cpu")
            rows.append([f"a webhook that {name}", f"an event with each of {count} pictures of 1280×720 that are {what}",
                         f"{count / median(found[name]):,.0f} pictures/s (CPU ratio {cpu:.3f})", "ratio ≤ 1.01",
                         f"{median(found[name]) / median(found['without']):.3f}"])
    silent.close()
    shutil.rmtree(work)

    note = f"Medians of {runs} rounds, commands in turn. Ratio = wall time with the output / without it (`-o null`)."
    write(out, "events", note, ["what", "of what", "reached", "target", "ratio"], rows, about, results)
    return 0
