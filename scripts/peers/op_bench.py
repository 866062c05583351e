"""`scripts/bench ops`: each op beside the same OpenCV call in Python and ffmpeg's filter; chains; workers.

Everything reads the same file and throws the result away. "run ÷" compares wall time of whole runs on H.264, with everything as it is
by default: start, decoding, conversions and op. Milliseconds are those of the op alone, on raw pictures (a .y4m file), so that no
decoder works beside it, on one thread here and there: framewright's from its `--stats` (conversions that the op made necessary
included), Python's around the call. Each stands behind another op on the whole picture, so that the picture lies in this processor's
cache here as it does there, where read() has just written it; what it takes to come there is part of the whole runs.
"""

import json
import shutil
import statistics
import subprocess
import sys
import time
from pathlib import Path

from op_table import CHAINS, FRAMES, HEAVY, OPS

SIZES = ["720p", "1080p"]
CHAIN = 150
RAW = 150
ROOT = Path(__file__).resolve().parent.parent.parent
PYTHON = "/usr/bin/python3"
# Takes pictures into this processor's cache, as Python's read() does.
FIRST = "brightness-contrast:brightness=0.02"


def wall(command):
    began = time.perf_counter()
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, timeout=600, stdin=subprocess.DEVNULL)
    seconds = time.perf_counter() - began
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)}\n{done.stderr.strip()[-400:]}")
    return seconds, done.stdout


def ours(binary, source, ops, frames, stats, extra=()):
    """Wall seconds of the run, and milliseconds a frame of its ops."""
    words = [w for op in ops for w in ("--op", op.replace("{input}", str(source)))]
    command = [str(binary), "run", "-q", str(source), "-o", "null", "--frames", str(frames), "--stats", str(stats)]
    seconds, _ = wall([*command, *words, *extra])
    found = json.loads(stats.read_text())
    return seconds, sum(o["seconds"] for o in found["ops"]) * 1000 / found["frames_in"]


def alone(binary, raw, op, frames, stats):
    """Milliseconds a frame of one op on pictures that an op before it has just written."""
    words = ["--op", FIRST, "--op", op.replace("{input}", str(raw))]
    command = [str(binary), "run", "-q", str(raw), "-o", "null", "--frames", str(frames), "--stats", str(stats), "--threads", "1"]
    wall([*command, *words])
    found = json.loads(stats.read_text())
    return sum(o["seconds"] for o in found["ops"][1:]) * 1000 / found["frames_in"]


def raw_of(source):
    """The same pictures as they are."""
    raw = source.with_suffix(".y4m")
    if not raw.exists():
        part = source.with_suffix(".part.y4m")
        wall(["ffmpeg", "-nostdin", "-v", "error", "-y", "-i", str(source), "-frames:v", str(RAW), str(part)])
        part.rename(raw)
    return raw


def theirs(source, op, frames, *threads):
    seconds, text = wall([PYTHON, str(ROOT / "scripts/peers/opencv_ops.py"), op, str(source), str(frames), *threads])
    return seconds, json.loads(text)["ms"]


def ffmpeg(source, filters, frames):
    special = {
        "OVERLAY": ["-i", "config/assets/logo.png", "-filter_complex", "[0:v][1:v]overlay=16:16"],
        "SPLIT": ["-filter_complex", "[0:v]split[a][b];[a][b]hstack"],
        "PSNR": ["-i", str(source), "-filter_complex", "[0:v][1:v]psnr"],
        "SSIM": ["-i", str(source), "-filter_complex", "[0:v][1:v]ssim"],
    }
    how = special.get(filters, ["-vf", filters] if filters else [])
    command = ["ffmpeg", "-nostdin", "-v", "error", "-i", str(source), *how, "-an"]
    return wall([*command, "-frames:v", str(frames), "-f", "null", "-"])[0]


def median(rows, i):
    return statistics.median(r[i] for r in rows)


def measure_op(binary, source, row, runs, work):
    """One op: rounds in turn of framewright, Python, ffmpeg, after one untimed round each; alone, and whole runs."""
    name, op, filters, frames = row
    # Half as many of the larger pictures.
    frames = frames if "720" in str(source) else frames // 2
    stats, raw = work / "op.json", raw_of(source)
    rounds = []
    for n in range(runs + 1):
        ms = alone(binary, raw, op, frames, stats)
        ms_there = theirs(raw, name, frames, "1")[1]
        a = ours(binary, source, [op], frames, stats)[0]
        b = theirs(source, name, frames)[0]
        c = ffmpeg(source, filters, frames) if filters else None
        if n:
            rounds.append((a, ms, b, ms_there, c))
    wall_us, ms_us, wall_py, ms_py = (median(rounds, i) for i in range(4))
    wall_ff = median(rounds, 4) if filters else None
    return {
        "op": name,
        "text": op,
        "ms": ms_us,
        "python_ms": ms_py,
        "call_ratio": ms_us / ms_py if ms_py else None,
        "python_wall_ratio": wall_us / wall_py,
        "ffmpeg_wall_ratio": wall_us / wall_ff if wall_ff else None,
    }


def table(results, sizes, copies):
    """Markdown: one row an op, both sizes."""
    lines = ["| op | " + " | ".join(f"{s} ms | MB/s | of memcpy | ÷ Python's call | run ÷ Python | run ÷ ffmpeg" for s in sizes)]
    lines[0] += " |"
    lines += ["| --- |" + " ---: |" * 6 * len(sizes)]
    for name in results[sizes[0]]:
        cells = []
        for s in sizes:
            r = results[s].get(name)
            if not r:
                cells += [""] * 6
                continue
            width, height = {"720p": (1280, 720), "1080p": (1920, 1080)}[s]
            rate = width * height * 1.5 / 1e6 / (r["ms"] / 1000) if r["ms"] else 0
            cells += [f"{r['ms']:.2f}", f"{rate:.0f}", f"{rate / copies[s]:.2f}"]
            cells += [f"{r['call_ratio']:.2f}" if r["call_ratio"] else ""]
            cells += [f"{r['python_wall_ratio']:.2f}" if r["python_wall_ratio"] else ""]
            cells += [f"{r['ffmpeg_wall_ratio']:.2f}" if r["ffmpeg_wall_ratio"] else ""]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return lines


def run(args, binary, inputs, out, sizes, about):
    """All ops at all sizes, the chains, and the workers; writes ops.md and ops.json."""
    work = out / "work"
    work.mkdir(parents=True, exist_ok=True)
    if not Path(PYTHON).exists() or not shutil.which("ffmpeg"):
        sys.exit("error: Python OpenCV or ffmpeg is missing: scripts/setup --bench")
    rows = [r for r in OPS if not args.only or r[0] in args.only]
    # What earlier calls measured stays, so that the table can be made piece by piece.
    kept = json.loads((out / "ops.json").read_text()) if (out / "ops.json").exists() else {}
    results = {s: dict(kept.get("ops", {}).get(s, {})) for s in SIZES}
    copies, failed = dict(kept.get("memcpy", {})), []
    chains, workers = kept.get("chains", []), kept.get("workers", [])

    def save():
        whole = {"machine": about, "memcpy": copies, "ops": results, "chains": chains, "workers": workers, "failed": failed}
        (out / "ops.json").write_text(json.dumps(whole, indent=1) + "\n")

    for size in sizes:
        source = inputs / f"{size}.mp4"
        width, height = {"720p": (1280, 720), "1080p": (1920, 1080)}[size]
        copies[size] = width * height * 1.5 / 1e6 / (theirs(source, "memcpy", FRAMES)[1] / 1000)
        for row in rows:
            try:
                results[size][row[0]] = measure_op(binary, source, row, args.runs or 5, work)
            except (RuntimeError, subprocess.TimeoutExpired) as why:
                failed.append(f"{row[0]} {size}: {why}")
                print(f"error: {failed[-1]}", file=sys.stderr)
                continue
            save()
            r = results[size][row[0]]
            beside = f"{r['ffmpeg_wall_ratio']:.2f}" if r["ffmpeg_wall_ratio"] else "-"
            print(f"{size} {row[0]:20} {r['ms']:8.3f} ms  Python {r['python_ms']:8.3f} ms  run/ffmpeg {beside}", flush=True)
    if not args.only or "chains" in args.only:
        chains = [c for c in chains if c["input"] not in sizes]
        for size in sizes:
            for name, ops, filters in CHAINS:
                coded = inputs / f"{size}.mp4"
                for kind, source in (("H.264", coded), ("raw", raw_of(coded))):
                    pairs = []
                    for n in range((args.runs or 5) + 1):
                        pair = ours(binary, source, ops, CHAIN, work / "op.json")[0], ffmpeg(source, filters, CHAIN)
                        pairs += [pair] if n else []
                    a, b = median(pairs, 0), median(pairs, 1)
                    chains.append({"chain": name, "input": size, "kind": kind, "ours": a, "ffmpeg": b, "speedup": b / a})
                    print(f"{size} {kind} {name}: {b / a:.2f} times ffmpeg", flush=True)
                    save()
    if not args.only or "workers" in args.only:
        # Raw: a decoder would take a share of both processors, and two workers would have to share the rest.
        source, pairs = raw_of(inputs / "720p.mp4"), []
        for n in range((args.runs or 5) + 1):
            pair = [ours(binary, source, [HEAVY], RAW, work / "op.json", ["--threads", t])[0] for t in "12"]
            pairs += [pair] if n else []
        a, b = median(pairs, 0), median(pairs, 1)
        workers = [{"op": HEAVY, "one": a, "two": b, "speedup": a / b, "ok": a / b >= 1.7}]
        print(f"two workers: {a / b:.2f} times one", flush=True)
    save()
    there = [s for s in SIZES if results[s]]
    lines = ["# Ops", ""] + [f"- {k}: {v}" for k, v in about.items() if v] + [""]
    lines += [f"- memcpy of an I420 picture, {s}: {copies[s]:.0f} MB/s" for s in there]
    lines += ["", __doc__.split("\n\n", 1)[1]]
    lines += table(results, there, copies)
    lines += ["", "| chain | input | framewright s | ffmpeg s | ffmpeg ÷ framewright | target |"]
    lines += ["| --- | --- | ---: | ---: | ---: | ---: |"]
    for c in chains:
        cells = [c["chain"], f"{c['input']} {c.get('kind', 'H.264')}", f"{c['ours']:.3f}", f"{c['ffmpeg']:.3f}", f"{c['speedup']:.2f}", "≥ 1.5"]
        lines.append("| " + " | ".join(cells) + " |")
    lines += ["", "| heavy op | 1 worker s | 2 workers s | speed-up | target |", "| --- | ---: | ---: | ---: | ---: |"]
    for w in workers:
        lines.append(f"| `{w['op']}` | {w['one']:.3f} | {w['two']:.3f} | {w['speedup']:.2f} | ≥ 1.7 |")
    call = [f"{s} {n}" for s in there for n, r in results[s].items() if (r["call_ratio"] or 0) > 1]
    whole = [f"{s} {n}" for s in there for n, r in results[s].items() if (r["python_wall_ratio"] or 0) > 1]
    lines += ["", f"Runs slower than Python's: {', '.join(whole) or 'none'}."]
    lines += ["", f"Ops that take longer than the bare call does in Python: {', '.join(call) or 'none'}."]
    (out / "ops.md").write_text("\n".join(lines) + "\n")
    print(f"runs slower than Python's: {', '.join(whole) or 'none'}\nwritten: {out / 'ops.md'}, {out / 'ops.json'}")
    return 1 if failed else 0
