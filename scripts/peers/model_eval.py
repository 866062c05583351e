"""Compares framewright's boxes with those of the models' own code.

For each model its authors' way from picture to boxes is written out below with Python's onnxruntime, numpy and OpenCV, on BGR
pictures as OpenCV reads them. framewright works on the decoder's planes. Of the boxes that either finds with a margin above
the threshold, the share is counted that the other one finds too, of the same class and with an IoU of 0.95 or more.
"""

import argparse
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time

import cv2
import numpy as np
import onnxruntime

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
COCO = 80
# A score this near to the threshold may fall to either side of it.
MARGIN = 0.02


def letterbox(bgr, size, pad, center):
    """The shape kept: picture and (scale x, scale y, left, top)."""
    w, h = size
    ratio = min(w / bgr.shape[1], h / bgr.shape[0])
    rw, rh = int(bgr.shape[1] * ratio + 1e-3), int(bgr.shape[0] * ratio + 1e-3)
    out = np.full((h, w, 3), pad, np.uint8)
    left, top = ((w - rw) // 2, (h - rh) // 2) if center else (0, 0)
    out[top : top + rh, left : left + rw] = cv2.resize(bgr, (rw, rh), interpolation=cv2.INTER_LINEAR)
    return out, (bgr.shape[1] / rw, bgr.shape[0] / rh, left, top)


def back(boxes, place):
    """Corners in the input as corners in the picture."""
    sx, sy, left, top = place
    return (boxes - np.array([left, top, left, top])) * np.array([sx, sy, sx, sy])


def suppress(boxes, scores, classes, score, iou):
    """Greedy, whatever the class."""
    keep = scores >= score
    boxes, scores, classes = boxes[keep], scores[keep], classes[keep]
    order, out = np.argsort(-scores, kind="stable"), []
    while len(order):
        best, order = order[0], order[1:]
        out.append(best)
        order = order[ious(boxes[best], boxes[order]) <= iou]
    return [(int(classes[i]), float(scores[i]), boxes[i]) for i in out]


def ious(box, boxes):
    if not len(boxes):
        return np.zeros(0)
    a = np.maximum(box[:2], boxes[:, :2])
    b = np.minimum(box[2:], boxes[:, 2:])
    shared = np.prod(np.clip(b - a, 0, None), 1)
    area = lambda v: np.prod(v[..., 2:] - v[..., :2], -1)
    return shared / (area(box) + area(boxes) - shared + 1e-9)


def grid(w, h, stride):
    ys, xs = np.mgrid[0 : -(-h // stride), 0 : -(-w // stride)]
    return xs.ravel(), ys.ravel()


class Yolox:
    """demo/ONNXRuntime/onnx_inference.py of Megvii-BaseDetection/YOLOX."""

    size, score, iou = (416, 416), 0.3, 0.45

    def prepare(self, bgr):
        picture, place = letterbox(bgr, self.size, 114, False)
        return picture.astype(np.float32).transpose(2, 0, 1)[None], place

    def boxes(self, outputs, place, shape):
        out = outputs[0][0]
        cells = [np.stack([*grid(*self.size, s), np.full(-(-self.size[0] // s) * -(-self.size[1] // s), s)], 1) for s in (8, 16, 32)]
        cells = np.concatenate(cells)
        center, size = (out[:, :2] + cells[:, :2]) * cells[:, 2:], np.exp(out[:, 2:4]) * cells[:, 2:]
        scores = out[:, 4:5] * out[:, 5:]
        corners = np.concatenate([center - size / 2, center + size / 2], 1)
        return suppress(back(corners, place), scores.max(1), scores.argmax(1), self.score, self.iou)


class Nanodet:
    """main_nanodet.py of hpc203/nanodet-opncv-dnn-cpp-python, with bilinear resizing as in RangiLyu/nanodet itself."""

    size, score, iou = (320, 320), 0.4, 0.3

    def prepare(self, bgr):
        picture, place = letterbox(bgr, self.size, 0, True)
        mean, std = np.array([103.53, 116.28, 123.675], np.float32), np.array([57.375, 57.12, 58.395], np.float32)
        return ((picture.astype(np.float32) - mean) / std).transpose(2, 0, 1)[None], place

    def boxes(self, outputs, place, shape):
        outputs = [o.reshape(-1, o.shape[-1]) for o in outputs]
        corners, scores = [], []
        for stride in (8, 16, 32):
            xs, ys = grid(*self.size, stride)
            score = next(o for o in outputs if o.shape == (len(xs), COCO))
            sides = next(o for o in outputs if o.shape == (len(xs), 32)).reshape(-1, 8)
            e = np.exp(sides - sides.max(1, keepdims=True))
            sides = (e @ np.arange(8) / e.sum(1)).reshape(-1, 4) * stride
            cx, cy = xs * stride + 0.5 * (stride - 1), ys * stride + 0.5 * (stride - 1)
            box = np.stack([cx - sides[:, 0], cy - sides[:, 1], cx + sides[:, 2], cy + sides[:, 3]], 1)
            corners.append(np.clip(box, 0, self.size[0]))
            scores.append(score)
        scores = np.concatenate(scores)
        return suppress(back(np.concatenate(corners), place), scores.max(1), scores.argmax(1), self.score, self.iou)


class Ultraface:
    """opencv_dnn/ of Linzaer/Ultra-Light-Fast-Generic-Face-Detector-1MB: boxes are offsets from anchors."""

    size, score, iou = (320, 240), 0.7, 0.3

    def prepare(self, bgr):
        rgb = cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB)
        rgb = cv2.resize(rgb, self.size)
        return ((rgb.astype(np.float32) - 127) / 128).transpose(2, 0, 1)[None], None

    def boxes(self, outputs, place, shape):
        scores, offsets = outputs[0][0], outputs[1][0]
        (w, h), anchors = self.size, []
        for stride, sides in ((8, (10, 16, 24)), (16, (32, 48)), (32, (64, 96)), (64, (128, 192, 256))):
            for y in range(-(-h // stride)):
                for x in range(-(-w // stride)):
                    anchors += [((x + 0.5) * stride / w, (y + 0.5) * stride / h, s / w, s / h) for s in sides]
        anchors = np.clip(np.array(anchors, np.float32), 0, 1)
        center = offsets[:, :2] * 0.1 * anchors[:, 2:] + anchors[:, :2]
        size = np.exp(offsets[:, 2:] * 0.2) * anchors[:, 2:]
        boxes = np.concatenate([center - size / 2, center + size / 2], 1)
        h, w = shape[:2]
        scores = scores[:, 1]
        return suppress(boxes * np.array([w, h, w, h]), scores, np.zeros(len(scores)), self.score, self.iou)


class Yunet:
    """FaceDetectorYN of OpenCV 4.8, on the picture as it is up to 640 pixels, padded to multiples of 32."""

    score, iou = 0.6, 0.3

    def __init__(self, size=None):
        self.fixed = size

    def prepare(self, bgr):
        h, w = bgr.shape[:2]
        if self.fixed:
            self.size = self.fixed
            picture, place = letterbox(bgr, self.size, 0, False)
        else:
            ratio = min(1, 640 / w, 640 / h)
            rw, rh = int(w * ratio + 1e-3), int(h * ratio + 1e-3)
            self.size = (-(-rw // 32) * 32, -(-rh // 32) * 32)
            picture = np.zeros((self.size[1], self.size[0], 3), np.uint8)
            picture[:rh, :rw] = cv2.resize(bgr, (rw, rh)) if ratio < 1 else bgr
            place = (w / rw, h / rh, 0, 0)
        return picture.astype(np.float32).transpose(2, 0, 1)[None], place

    def boxes(self, outputs, place, shape):
        corners, scores = [], []
        for i, s in enumerate((8, 16, 32)):
            cls, obj, box = outputs[i][0][:, 0], outputs[3 + i][0][:, 0], outputs[6 + i][0]
            xs, ys = grid(*self.size, s)
            cx, cy, half = (xs + box[:, 0]) * s, (ys + box[:, 1]) * s, np.exp(box[:, 2:]) * s / 2
            corners.append(np.stack([cx - half[:, 0], cy - half[:, 1], cx + half[:, 0], cy + half[:, 1]], 1))
            scores.append(np.sqrt(np.clip(cls, 0, 1) * np.clip(obj, 0, 1)))
        scores = np.concatenate(scores)
        return suppress(back(np.concatenate(corners), place), scores, np.zeros(len(scores)), self.score, self.iou)


FACES = ["opencv_extra/david.webm", "intel/preview_head-pose-face-detection-female.gif", "intel/asl_again.mkv"]
THINGS = ["intel/car-detection.mp4", "intel/bottle-detection.mp4", "opencv4nodejs/traffic.mp4", "opencv_extra/768x576.avi",
          "roboflow/test_video.mp4"]
MODELS = [
    ("yunet", "yunet/yunet_n_dynamic.onnx", Yunet(), FACES),
    ("yunet_n_320", "yunet/yunet_n_320_320.onnx", Yunet((320, 320)), FACES),
    ("yunet_s_640", "yunet/yunet_s_640_640.onnx", Yunet((640, 640)), FACES),
    ("ultraface_rfb_320", "ultraface/version-RFB-320_simplified.onnx", Ultraface(), FACES),
    ("ultraface_slim_320", "ultraface/version-slim-320_simplified.onnx", Ultraface(), FACES),
    ("yolox_nano", "yolox/yolox_nano.onnx", Yolox(), THINGS),
    ("nanodet", "nanodet/nanodet.onnx", Nanodet(), THINGS),
]


def own(path, code, clip, frames):
    """What the model's own code finds in each frame, and the pictures' size."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    name, found = session.get_inputs()[0].name, []
    for bgr in pictures(clip, frames):
        tensor, place = code.prepare(bgr)
        found.append(code.boxes(session.run(None, {name: np.ascontiguousarray(tensor)}), place, bgr.shape))
    return found


def pictures(clip, frames):
    """BGR, 8 bits, converted exactly: BT.601/709 by the textbook from the planes that ffmpeg decodes, chroma bilinear. ffmpeg's
    own conversion is up to 4 levels off, OpenCV's reader takes every matrix for BT.601, and YuNet's boxes tell the difference.
    """
    entries = "stream=width,height,color_space,color_range,pix_fmt,chroma_location"
    probe = ["ffprobe", "-v", "error", "-select_streams", "v:0", "-show_entries", entries, "-of", "json", str(clip)]
    stream = json.loads(subprocess.run(probe, check=True, capture_output=True).stdout)["streams"][0]
    w, h = stream["width"], stream["height"]
    yuv = stream["pix_fmt"].startswith("yuv")
    run = ["ffmpeg", "-v", "error", "-i", str(clip), "-map", "0:v:0", "-fps_mode", "passthrough", "-frames:v", str(frames),
           "-pix_fmt", stream["pix_fmt"] if yuv else "bgr24", "-f", "rawvideo", "-"]
    raw = np.frombuffer(subprocess.run(run, check=True, capture_output=True).stdout, np.uint8)
    if not yuv:
        yield from raw.reshape(-1, h, w, 3)
        return
    assert stream["pix_fmt"] in ("yuv420p", "yuvj420p") and w % 2 == h % 2 == 0, stream
    # Where the file does not say it, what players assume.
    hd = {"bt709": True, "smpte170m": False, "bt470bg": False}.get(stream.get("color_space"), h > 576)
    kr, kb = (0.2126, 0.0722) if hd else (0.299, 0.114)
    full = stream["pix_fmt"] == "yuvj420p" or stream.get("color_range") == "pc"
    left = stream.get("chroma_location", "unspecified") == "left"
    y0, gain, c = (0, 1, 1) if full else (16, 255 / 219, 255 / 224)
    for frame in raw.reshape(-1, h * 3 // 2, w):
        y = (frame[:h].astype(np.float32) - y0) * gain
        u, v = (upsampled(p.reshape(h // 2, w // 2), left) - 128 for p in np.split(frame[h:].ravel(), 2))
        r, b = y + 2 * (1 - kr) * c * v, y + 2 * (1 - kb) * c * u
        g = (y - kr * r - kb * b) / (1 - kr - kb)
        yield np.clip(np.stack([b, g, r], 2) + 0.5, 0, 255).astype(np.uint8)


def upsampled(plane, left):
    """A 4:2:0 plane at full size, bilinear; `left`: samples lie on every second column instead of between two."""
    h, w = plane.shape
    plane = plane.astype(np.float32)
    if not left:
        return cv2.resize(plane, (2 * w, 2 * h))
    tall = cv2.resize(plane, (w, 2 * h))
    out = np.empty((2 * h, 2 * w), np.float32)
    out[:, 0::2] = tall
    out[:, 1::2] = (tall + np.concatenate([tall[:, 1:], tall[:, -1:]], 1)) / 2
    return out


def ours(binary, model, clip, frames, folder, extra):
    """What framewright finds in each frame, and its times in ms: preparing, network, decoding."""
    out = folder / "found.jsonl"
    run = [binary, "models", "test", model, "--on", str(clip), "--frames", str(frames), "--engine", "onnxruntime",
           "--json", out, *extra]
    text = subprocess.run(run, check=True, capture_output=True, text=True).stdout
    times = [float(text.split(word)[1].split()[0]) for word in ("prepare ", "network ", "decode ")]
    found = []
    for line in out.read_text().splitlines():
        boxes = []
        for d in json.loads(line)["found"]:
            x, y, w, h = d["box"]
            boxes.append((d["class"], d["score"], np.array([x, y, x + w, y + h])))
        found.append(boxes)
    return found, times


def agreement(a, b, score):
    """Of the sure boxes of `a`: how many `b` has too, how many there are, and the IoUs of those."""
    same, all_, values = 0, 0, []
    for one, other in zip(a, b):
        for kind, s, box in one:
            if s < score + MARGIN:
                continue
            all_ += 1
            rivals = np.array([o[2] for o in other if o[0] == kind]).reshape(-1, 4)
            best = ious(box, rivals).max() if len(rivals) else 0.0
            values.append(best)
            same += best >= 0.95
    return same, all_, values


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="*", help="names [default: all that are known here]")
    parser.add_argument("--frames", type=int, default=200, help="of each clip")
    parser.add_argument("--threads", type=int, help="of ONNX Runtime")
    parser.add_argument("--data", type=pathlib.Path, default=os.environ.get("FRAMEWRIGHT_TEST_DATA", ROOT / "../shared/data"))
    parser.add_argument("--binary", default=ROOT / "target/release/framewright")
    options = parser.parse_args()
    data = pathlib.Path(options.data)
    os.environ["FRAMEWRIGHT_MODELS"] = str(data / "onnx")
    extra = ["--threads", str(options.threads)] if options.threads else []
    table, bad = [], []

    def line(*cells):
        table.append("| " + " | ".join(map(str, cells)) + " |")
        print(table[-1], flush=True)

    line("model", "clip", "boxes", "same (IoU >= 0.95)", "median IoU", "prepare ms", "network ms", "decode ms")
    line(*["---"] * 8)
    with tempfile.TemporaryDirectory() as folder:
        for name, file, code, clips in MODELS:
            if options.models and name not in options.models:
                continue
            sums = np.zeros(2, int)
            for clip in clips:
                theirs = own(data / "onnx" / file, code, data / "video" / clip, options.frames)
                found, times = ours(options.binary, name, data / "video" / clip, options.frames, pathlib.Path(folder), extra)
                if len(theirs) != len(found):
                    sys.exit(f"error: {clip}: {len(found)} frames here and {len(theirs)} there")
                a = agreement(found, theirs, code.score)
                b = agreement(theirs, found, code.score)
                same, count, values = a[0] + b[0], a[1] + b[1], a[2] + b[2]
                sums += (same, count)
                share = f"{same / count:.2%}" if count else "-"
                median = f"{np.median(values):.4f}" if count else "-"
                line(name, pathlib.Path(clip).name, b[1], share, median, *(f"{t:.2f}" for t in times))
            share = sums[0] / max(1, sums[1])
            line(f"**{name}**", "all", sums[1] // 2, f"**{share:.2%}**", *[""] * 4)
            if share < 0.99:
                bad.append(name)
    if not options.models:
        # For scripts/bench publish.
        (ROOT / "bench-out").mkdir(exist_ok=True)
        title = f"# Boxes beside the models' own code, {time.strftime('%Y-%m-%d %H:%M')}\n\n"
        (ROOT / "bench-out/eval-models.md").write_text(title + "\n".join(table) + "\n")
    if bad:
        sys.exit(f"error: less than 99 % of the boxes agree: {', '.join(bad)}")


if __name__ == "__main__":
    main()
