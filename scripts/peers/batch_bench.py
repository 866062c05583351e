"""scripts/bench batch: forty short files beside `xargs -P 2 ffmpeg`, the cost of a job, ten thousand jobs, and kill -9."""

import json
import os
import random
import shutil
import signal
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from measured import Cost, cost, write

FILES = 40
# What ffmpeg or framewright cannot read, and what takes longer than all others together.
EXCEPT = {"audio_only.m4a", "qcif_YV16.avi", "test_audio.wav", "test_mono_audio.mp3", "test_stereo_audio.mp3", "tree.avi",
          "truncated_moov_at_end.mp4"}
LONGEST = 35.0
# The same filters and encoder; ffmpeg's sigma is OpenCV's for a kernel of 9.
OPS = ["--op", "blur:size=9", "--op", "text:text={source} {time} #{frame}"]
ENCODER = "--encoder x264 --preset veryfast --quality 23".split()
FFMPEG = ("ffmpeg -nostdin -v error -y -i \"$1\" -map 0:v:0 -map 0:a? -vf \"gblur=sigma=1.7,drawtext=text='file %{pts\\:hms} #%{n}'"
          ":x=10:y=10:fontsize=h/25:fontcolor=white:borderw=2:bordercolor=black\" -c:v libx264 -preset veryfast -crf 23 "
          "-pix_fmt yuv420p -c:a copy \"$2/$(basename \"$1\").mkv\"")


def probe(path):
    asked = ["ffprobe", "-v", "error", "-select_streams", "v:0", "-show_entries", "format=duration", "-of", "csv=p=0", str(path)]
    said = subprocess.run(asked, capture_output=True, text=True).stdout.strip()
    return float(said) if said and said != "N/A" else None


def forty(data, folder):
    """Links to forty readable short files of the data folder, of all folders in turn."""
    by = {}
    for path in sorted(p for p in (data / "video").rglob("*") if p.is_file() and p.name not in EXCEPT):
        length = probe(path)
        if length and length <= LONGEST:
            by.setdefault(path.parent, []).append(path)
    chosen = []
    while len(chosen) < FILES and any(by.values()):
        for files in by.values():
            if files and len(chosen) < FILES:
                chosen.append(files.pop(0))
    folder.mkdir()
    for i, path in enumerate(chosen):
        (folder / f"{i:02}-{path.name}").symlink_to(path)
    return len(chosen)


def clear(folder):
    shutil.rmtree(folder, ignore_errors=True)


def beside_ffmpeg(framewright, work, runs):
    out, theirs = work / "out", work / "ffmpeg"
    names = sorted(str(p) for p in (work / "in").iterdir())

    def ours(jobs):
        clear(out)
        return cost([framewright, "batch", "-q", work / "in", "--types", "all", "-o", out / "{name}.mkv", "--jobs", jobs,
                     *OPS, *ENCODER]).wall

    def ffmpeg():
        clear(theirs)
        theirs.mkdir()
        args = "\0".join(names)
        began = time.perf_counter()
        subprocess.run(["xargs", "-0", "-P", "2", "-I", "{}", "sh", "-c", FFMPEG, "sh", "{}", str(theirs)], input=args, text=True,
                       check=True)
        return time.perf_counter() - began

    found = {}
    commands = {"xargs -P 2 ffmpeg": ffmpeg, "auto": lambda: ours("auto")} | {n: (lambda n=n: ours(n)) for n in "1234"}
    for round in range(runs + 1):
        for name, command in commands.items():
            wall = command()
            if round > 0:
                found.setdefault(name, []).append(wall)
        made, also = len(list(out.glob("*.mkv"))), len(list(theirs.glob("*.mkv")))
        if made != len(names) or also != len(names):
            raise RuntimeError(f"{made} and {also} of {len(names)} files were made")
    return found


def cost_of_a_job(framewright, work, runs):
    """Milliseconds that a job takes longer than the same run."""
    tiny = work / "tiny"
    tiny.mkdir()
    n = 20
    for i in range(n):
        subprocess.run([framewright, "run", "-q", "generate:counter", "-o", tiny / f"{i:02}.mp4", "--frames", "25", "--size", "320x180"],
                       check=True)
    files = sorted(tiny.iterdir())
    found = {"run": [], "batch": []}
    for round in range(runs + 1):
        clear(work / "t1")
        (work / "t1").mkdir()
        began = time.perf_counter()
        for f in files:
            subprocess.run([framewright, "run", "-q", f, "-o", work / "t1" / f.name, "--op", "blur:size=9"], check=True)
        plain = time.perf_counter() - began
        clear(work / "t2")
        wall = cost([framewright, "batch", "-q", tiny, "-o", work / "t2/{name}", "--jobs", "1", "--op", "blur:size=9"]).wall
        if round > 0:
            found["run"].append(plain / n)
            found["batch"].append(wall / n)
    return found


def ten_thousand(framewright, work, count):
    """Planning, doing and skipping many tiny jobs."""
    folder = work / "many"
    folder.mkdir()
    first = folder / "00000.mp4"
    subprocess.run([framewright, "run", "-q", "generate:counter", "-o", first, "--frames", "5", "--size", "64x48", "--preset", "ultrafast"],
                   check=True)
    for i in range(1, count):
        # Own files: each has its size and time.
        shutil.copyfile(first, folder / f"{i:05}.mp4")
    batch = [framewright, "batch", "-q", folder, "-o", "null", "--journal", work / "many.db", "--no-thumbnails"]
    plan = [cost([*batch, "--dry-run"]) for _ in range(5)]
    whole = cost(batch)
    skip = [cost(batch) for _ in range(5)]
    clear(folder)
    return {"plan": plan, "whole": [whole], "skip": skip}


def killed(framewright, work, times):
    """kill -9 at random moments over forty files, each time begun again: what became of them."""
    folder, out, journal = work / "in", work / "killed", work / "killed.db"
    batch = [str(framewright), "batch", "-q", str(folder), "--types", "all", "-o", str(out / "{name}.mkv"), "--journal", str(journal),
             *OPS, *ENCODER]
    chance, kills, cut, planned = random.Random(1), 0, 0, len(list(folder.iterdir()))
    while kills < times:
        child = subprocess.Popen(batch, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE)
        time.sleep(chance.uniform(0.1, 2.5))
        if child.poll() is not None:
            # All were done before it could be killed: once more, all of them.
            child.stderr.close()
            clear(out)
            planned += len(list(folder.iterdir()))
            continue
        child.send_signal(signal.SIGKILL)
        child.wait()
        child.stderr.close()
        kills += 1
        db = sqlite3.connect(journal)
        assert db.execute("PRAGMA integrity_check").fetchone()[0] == "ok"
        cut += db.execute("SELECT count(*) FROM jobs WHERE state = 'running'").fetchone()[0]
        db.close()
    cost(batch)
    db = sqlite3.connect(journal)
    jobs, attempts, bad = db.execute("SELECT count(*), sum(attempts), sum(state <> 'done') FROM jobs").fetchone()
    frames = {Path(json.loads(o)[0]["path"]): n for o, n in db.execute("SELECT written, frames_out FROM jobs")}
    broken = 0
    for path, n in frames.items():
        asked = ["ffprobe", "-v", "error", "-count_frames", "-select_streams", "v:0", "-show_entries", "stream=nb_read_frames",
                 "-of", "csv=p=0", str(path)]
        said = subprocess.run(asked, capture_output=True, text=True).stdout.strip().rstrip(",")
        broken += said != str(n)
    left = [p for p in out.iterdir() if ".partial-" in p.name]
    return {"kills": kills, "jobs": jobs, "planned": planned, "attempts": attempts, "in flight": cut, "not done": bad, "broken": broken, "left": len(left)}


def run(args, framewright, out, about):
    runs = args.runs or (3 if args.quick else 5)
    count = 1000 if args.quick else 10_000
    data = Path(os.environ.get("FRAMEWRIGHT_TEST_DATA") or Path(__file__).resolve().parents[3] / "shared/data")
    if not (data / "video").is_dir():
        sys.exit(f"error: no clips in {data}: set FRAMEWRIGHT_TEST_DATA")
    work = Path(tempfile.mkdtemp(prefix="batch-", dir=out))
    try:
        files = forty(data, work / "in")
        # What earlier calls measured stays, so that the table can be made piece by piece.
        kept = out / "batch.json"
        results = json.loads(kept.read_text())["results"] if args.only and kept.exists() else {}
        for name, measure in (
            ("cost", lambda: cost_of_a_job(framewright, work, runs)),
            ("killed", lambda: killed(framewright, work, 5 if args.quick else 20)),
            ("forty", lambda: beside_ffmpeg(framewright, work, runs)),
            ("many", lambda: ten_thousand(framewright, work, count)),
        ):
            if args.only and name not in args.only and name in results:
                continue
            results[name] = measure()
            print(f"{name}: {results[name]}", file=sys.stderr, flush=True)
    finally:
        clear(work)
    median = {name: statistics.median(walls) for name, walls in results["forty"].items()}
    ffmpeg, auto = median["xargs -P 2 ffmpeg"], median["auto"]
    best = min("1234", key=lambda n: median[n])
    cost = {name: 1000 * statistics.median(v) for name, v in results["cost"].items()}
    many = {name: (statistics.median(Cost(*c).wall for c in v), max(Cost(*c).memory for c in v)) for name, v in results["many"].items()}
    k = results["killed"]
    rows = [
        [f"{files} mixed files, blur + text, x264", f"{auto:.2f} s beside {ffmpeg:.2f} s", "≤ 0.95 × `xargs -P 2 ffmpeg`", f"{auto / ffmpeg:.3f}"],
        ["`--jobs auto` beside the best fixed number", ", ".join(f"{n}: {median[n]:.2f} s" for n in "1234"), "≤ 1.05",
         f"{auto / median[best]:.3f} (of {best})"],
        ["a job beside a plain run", f"{cost['batch']:.0f} ms beside {cost['run']:.0f} ms", "≤ 30 ms more", f"{cost['batch'] - cost['run']:.0f} ms"],
        [f"{count} jobs: planning", f"{many['plan'][1]:.0f} MB", "≤ 2 s, ≤ 200 MB", f"{many['plan'][0]:.2f} s"],
        [f"{count} jobs: doing them", f"{many['whole'][1]:.0f} MB, {1000 * many['whole'][0] / count:.0f} ms a job", "≤ 200 MB", f"{many['whole'][0]:.0f} s"],
        [f"{count} jobs: a resume that skips all", f"{many['skip'][1]:.0f} MB", "≤ 2 s, ≤ 200 MB", f"{many['skip'][0]:.2f} s"],
        [f"`kill -9` {k['kills']} times over {k['jobs']} files", f"{k['attempts']} attempts, {k['in flight']} cut off in flight",
         "all whole, none twice but those",
         f"{k['not done']} not done, {k['broken']} broken, {k['left']} remains, {k['attempts'] - k['planned'] - k['in flight']} done twice"],
    ]
    note = f"Medians of {runs} rounds, commands in turn; planning and skipping of 5."
    write(out, "batch", note, ["what", "of what", "target", "reached"], rows, about, results)
    return 0
