#!/usr/bin/env python3
"""The loop that people write with OpenCV's Python module: read, GaussianBlur 9x9, putText, write.

    opencv_loop.py writer|pipe INPUT OUTPUT [FRAMES]

writer: cv2.VideoCapture and cv2.VideoWriter, as everybody does it. The writer is GStreamer's, since only there the same
encoder can be given the same settings; it needs a system OpenCV (Debian: python3-opencv), as PyPI's has no GStreamer.

pipe: frames go to an ffmpeg process with the same encoder instead, which converts and encodes beside the loop: what
people do who know where the time goes.
"""

import subprocess
import sys

import cv2

X264 = "x264enc speed-preset=veryfast pass=qual quantizer=23 vbv-buf-capacity=0 key-int-max=250 aud=false"


class Pipe:
    """An ffmpeg process that encodes what is written to it."""

    def __init__(self, target, fps, width, height):
        self.process = subprocess.Popen(
            ["ffmpeg", "-nostdin", "-v", "error", "-y", "-f", "rawvideo", "-pix_fmt", "bgr24", "-s", f"{width}x{height}"]
            + ["-r", str(fps), "-i", "-", "-c:v", "libx264", "-preset", "veryfast", "-crf", "23", "-pix_fmt", "yuv420p"]
            + [target],
            stdin=subprocess.PIPE,
        )

    def write(self, frame):
        self.process.stdin.write(frame)

    def release(self):
        self.process.stdin.close()
        if self.process.wait():
            sys.exit("ffmpeg failed")


def open_writer(kind, target, fps, width, height):
    if kind == "pipe":
        return Pipe(target, fps, width, height)
    tail = f"appsrc ! videoconvert ! video/x-raw,format=I420 ! {X264} ! h264parse ! mp4mux ! filesink location={target}"
    writer = cv2.VideoWriter(tail, cv2.CAP_GSTREAMER, 0, fps, (width, height))
    if not writer.isOpened():
        sys.exit("this OpenCV has no GStreamer writer: Debian's python3-opencv has")
    return writer


def main(kind, source, target, limit):
    capture = cv2.VideoCapture(source, cv2.CAP_FFMPEG)
    width, height = int(capture.get(cv2.CAP_PROP_FRAME_WIDTH)), int(capture.get(cv2.CAP_PROP_FRAME_HEIGHT))
    fps = capture.get(cv2.CAP_PROP_FPS)
    writer = open_writer(kind, target, fps, width, height)
    name, count, size = source.rsplit("/", 1)[-1], 0, height / 720
    while limit is None or count < limit:
        ok, frame = capture.read()
        if not ok:
            break
        frame = cv2.GaussianBlur(frame, (9, 9), 0)
        text = f"{name} {count / fps:.3f} #{count}"
        at = (int(16 * size), int(40 * size))
        cv2.putText(frame, text, at, cv2.FONT_HERSHEY_SIMPLEX, size, (255, 255, 255), 2, cv2.LINE_AA)
        writer.write(frame)
        count += 1
    writer.release()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4]) if len(sys.argv) > 4 else None)
