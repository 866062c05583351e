#!/usr/bin/env python3
"""The loop that people write with OpenCV's Python module: read, GaussianBlur 9x9, putText, write.

    opencv_loop.py INPUT OUTPUT [FRAMES]

The wheels on PyPI carry an FFmpeg without libx264 and no GStreamer, so cv2.VideoWriter cannot make the same file.
Frames go to an ffmpeg process instead, which has the same encoder with the same preset and CRF as the other peers, and
encodes beside the loop in its own process: the faster of the two usual ways.
"""

import subprocess
import sys

import cv2


def main(source, target, limit):
    capture = cv2.VideoCapture(source)
    width, height = int(capture.get(cv2.CAP_PROP_FRAME_WIDTH)), int(capture.get(cv2.CAP_PROP_FRAME_HEIGHT))
    fps = capture.get(cv2.CAP_PROP_FPS)
    writer = subprocess.Popen(
        ["ffmpeg", "-nostdin", "-v", "error", "-y", "-f", "rawvideo", "-pix_fmt", "bgr24", "-s", f"{width}x{height}"]
        + ["-r", str(fps), "-i", "-", "-c:v", "libx264", "-preset", "veryfast", "-crf", "23", "-pix_fmt", "yuv420p"]
        + [target],
        stdin=subprocess.PIPE,
    )
    name, count, size = source.rsplit("/", 1)[-1], 0, height / 720
    while limit is None or count < limit:
        ok, frame = capture.read()
        if not ok:
            break
        frame = cv2.GaussianBlur(frame, (9, 9), 0)
        text = f"{name} {count / fps:.3f} #{count}"
        at = (int(16 * size), int(40 * size))
        cv2.putText(frame, text, at, cv2.FONT_HERSHEY_SIMPLEX, size, (255, 255, 255), 2, cv2.LINE_AA)
        writer.stdin.write(frame)
        count += 1
    writer.stdin.close()
    return writer.wait()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2], int(sys.argv[3]) if len(sys.argv) > 3 else None))
