"""What benches share: the cost of a command, and what is left of a bench, a table in Markdown and everything in JSON."""

import json
import os
import subprocess
import time
from collections import namedtuple

# Wall and processor seconds, and peak memory in MB of the largest process.
Cost = namedtuple("Cost", "wall cpu memory")


def cost(command, ok=(0,), **more):
    """Runs a command, which must end with one of these codes."""
    began = time.perf_counter()
    child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, **more)
    with child.stderr:
        said = child.stderr.read()
    _, status, usage = os.wait4(child.pid, 0)
    wall = time.perf_counter() - began
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode not in ok:
        raise RuntimeError(f"{child.returncode} of {' '.join(map(str, command))}\n{said.decode(errors='replace')}")
    return Cost(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)


def write(out, name, note, head, rows, about, results):
    """Writes NAME.md and NAME.json into `out` and prints the table. `head` and `rows`: cells; the last ones are figures."""
    lines = [f"# {name.capitalize()}, {time.strftime('%Y-%m-%d %H:%M')}", ""]
    lines += [f"- {k}: {v}" for k, v in about.items() if v and k in ("cpu", "cores", "system", "framewright", "load at start")]
    lines += ["", note, ""]
    lines += ["| " + " | ".join(head) + " |", "| --- | --- |" + " --- |" * (len(head) - 3) + " ---: |"]
    lines += ["| " + " | ".join(r) + " |" for r in rows]
    text = "\n".join(lines) + "\n"
    (out / f"{name}.md").write_text(text)
    (out / f"{name}.json").write_text(json.dumps({"machine": about, "results": results}, indent=1) + "\n")
    print(f"\n{text}\nwritten: {out / name}.md, {out / name}.json")
