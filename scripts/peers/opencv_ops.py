#!/usr/bin/env python3
"""What people write with OpenCV's Python module instead of one of framewright's ops: read, one call, no output.

    opencv_ops.py OP INPUT FRAMES [THREADS]   prints the mean milliseconds of the call as JSON
    opencv_ops.py memcpy INPUT FRAMES         the same for a copy of an I420 picture of that size

Calls work on the BGR frames that VideoCapture gives, since that is what a Python loop has; those that want gray convert.
"""

import json
import sys
import time

import cv2
import numpy as np


def gray(f):
    return cv2.cvtColor(f, cv2.COLOR_BGR2GRAY)


def warp(points):
    def call(f):
        h, w = f.shape[:2]
        src = np.float32([[x * w, y * h] for x, y in points])
        dst = np.float32([[0, 0], [w, 0], [w, h], [0, h]])
        return cv2.warpPerspective(f, cv2.getPerspectiveTransform(src, dst), (w, h))

    return call


def rotate(degrees):
    def call(f):
        h, w = f.shape[:2]
        return cv2.warpAffine(f, cv2.getRotationMatrix2D((w / 2, h / 2), degrees, 1), (w, h))

    return call


class Undistort:
    def __init__(self):
        self.maps = None

    def __call__(self, f):
        h, w = f.shape[:2]
        if self.maps is None:
            k = np.array([[0.9 * w, 0, w / 2], [0, 0.9 * w, h / 2], [0, 0, 1]])
            d = np.array([-0.3, 0.1, 0, 0, 0.0])
            self.maps = cv2.initUndistortRectifyMap(k, d, None, k, (w, h), cv2.CV_16SC2)
        return cv2.remap(f, *self.maps, cv2.INTER_LINEAR)


class Stabilize:
    def __init__(self):
        self.before = None

    def __call__(self, f):
        g = gray(f)
        before, self.before = self.before, g
        if before is None:
            return f
        points = cv2.goodFeaturesToTrack(before, 200, 0.01, 30)
        if points is None:
            return f
        to, found, _ = cv2.calcOpticalFlowPyrLK(before, g, points, None)
        ok = found.ravel() == 1
        m, _ = cv2.estimateAffinePartial2D(points[ok], to[ok])
        return f if m is None else cv2.warpAffine(f, m, f.shape[1::-1])


def lut(table):
    table = np.clip(table, 0, 255).astype(np.uint8)
    return lambda f: cv2.LUT(f, table)


def saturation(factor):
    def call(f):
        hsv = cv2.cvtColor(f, cv2.COLOR_BGR2HSV)
        hsv[..., 1] = cv2.convertScaleAbs(hsv[..., 1], alpha=factor)
        return cv2.cvtColor(hsv, cv2.COLOR_HSV2BGR)

    return call


def white_balance(f):
    mean = cv2.mean(f)[:3]
    whole = sum(mean) / 3
    return cv2.merge([cv2.convertScaleAbs(c, alpha=whole / m) for c, m in zip(cv2.split(f), mean)])


def on_luma(call):
    def whole(f):
        ycc = cv2.cvtColor(f, cv2.COLOR_BGR2YCrCb)
        y, cr, cb = cv2.split(ycc)
        return cv2.cvtColor(cv2.merge([call(y), cr, cb]), cv2.COLOR_YCrCb2BGR)

    return whole


def back(call):
    return lambda f: cv2.cvtColor(call(gray(f)), cv2.COLOR_GRAY2BGR)


def magnitude(g):
    x, y = (cv2.Sobel(g, cv2.CV_32F, *d) for d in ((1, 0), (0, 1)))
    return cv2.convertScaleAbs(cv2.magnitude(x, y))


def unsharp(f):
    return cv2.addWeighted(f, 2, cv2.GaussianBlur(f, (5, 5), 0), -1, 0)


def pixelate(f):
    h, w = f.shape[:2]
    small = cv2.resize(f, (w // 16, h // 16), interpolation=cv2.INTER_AREA)
    return cv2.resize(small, (w, h), interpolation=cv2.INTER_NEAREST)


class Average:
    def __init__(self):
        self.mean = None

    def __call__(self, f):
        if self.mean is None:
            self.mean = np.float32(f)
        cv2.accumulateWeighted(f, self.mean, 0.3)
        return cv2.convertScaleAbs(self.mean)


def logo(f):
    h, w = f.shape[0] // 8, f.shape[0] // 4
    part = f[16 : 16 + h, 16 : 16 + w]
    alpha = np.full((h, w, 1), 0.5, np.float32)
    part[:] = (part * (1 - alpha) + 255 * alpha).astype(np.uint8)
    return f


def draw(call):
    def whole(f):
        h, w = f.shape[:2]
        call(f, w, h)
        return f

    return whole


def grid(f, w, h):
    for i in (1, 2):
        cv2.line(f, (w * i // 3, 0), (w * i // 3, h), (255, 255, 255), 2, cv2.LINE_AA)
        cv2.line(f, (0, h * i // 3), (w, h * i // 3), (255, 255, 255), 2, cv2.LINE_AA)


def histogram(f, w, h):
    bins = cv2.calcHist([gray(f)], [0], None, [256], [0, 256]).ravel()
    bins = bins / bins.max() * h / 5
    for x, v in enumerate(bins):
        cv2.line(f, (x + 16, h - 16), (x + 16, h - 16 - int(v)), (255, 255, 255), 1)


def mask(f, w, h):
    part = f[h // 4 : h // 2, w // 4 : w // 2]
    part[:] = cv2.GaussianBlur(part, (51, 51), 0)


class Changed:
    def __init__(self, what):
        self.before, self.what = None, what

    def __call__(self, f):
        g = gray(f)
        if self.before is not None:
            self.what(self.before, g)
        self.before = g


def ssim(f):
    a, b = gray(f).astype(np.float32), gray(f).astype(np.float32)
    blur = lambda x: cv2.GaussianBlur(x, (11, 11), 1.5)  # noqa: E731
    ma, mb = blur(a), blur(b)
    va, vb, cov = blur(a * a) - ma * ma, blur(b * b) - mb * mb, blur(a * b) - ma * mb
    top, bottom = (2 * ma * mb + 6.5) * (2 * cov + 58.5), (ma * ma + mb * mb + 6.5) * (va + vb + 58.5)
    return (top / bottom).mean()


def cube(f):
    # OpenCV has no 3D table; people quantise and index one with numpy.
    table = cube.table
    i = (f >> 4).astype(np.intp)
    return table[i[..., 0], i[..., 1], i[..., 2]]


cube.table = np.stack(np.meshgrid(*[np.arange(8, 256, 16)] * 3, indexing="ij"), -1).astype(np.uint8)

ROW = np.arange(256, dtype=np.float64)
OPS = {
    "resize": lambda f: cv2.resize(f, (f.shape[1] // 2, f.shape[0] // 2), interpolation=cv2.INTER_AREA),
    "crop": lambda f: f[: f.shape[0] // 2, : f.shape[1] // 2].copy(),
    "pad": lambda f: cv2.copyMakeBorder(f, 60, 60, 60, 60, cv2.BORDER_CONSTANT),
    "rotate": lambda f: cv2.rotate(f, cv2.ROTATE_90_CLOCKWISE),
    "rotate-any": rotate(5),
    "flip": lambda f: cv2.flip(f, 1),
    "perspective": warp([(0.1, 0.1), (0.9, 0), (1, 1), (0, 0.9)]),
    "undistort": Undistort(),
    "stabilize": Stabilize(),
    "gray": lambda f: cv2.cvtColor(gray(f), cv2.COLOR_GRAY2BGR),
    "brightness-contrast": lambda f: cv2.convertScaleAbs(f, alpha=1.2, beta=10),
    "gamma": lut(255 * (ROW / 255) ** (1 / 1.4)),
    "saturation": saturation(1.4),
    "white-balance": white_balance,
    "equalize": on_luma(cv2.equalizeHist),
    "clahe": on_luma(lambda y, c=cv2.createCLAHE(2.0, (8, 8)): c.apply(y)),
    "invert": cv2.bitwise_not,
    "colormap": lambda f: cv2.applyColorMap(gray(f), cv2.COLORMAP_TURBO),
    "lut": cube,
    "threshold": back(lambda g: cv2.threshold(g, 0, 255, cv2.THRESH_OTSU)[1]),
    "blur": lambda f: cv2.GaussianBlur(f, (9, 9), 0),
    "blur-median": lambda f: cv2.medianBlur(f, 5),
    "blur-box": lambda f: cv2.blur(f, (9, 9)),
    "sharpen": unsharp,
    "denoise": Average(),
    "denoise-nlm": lambda f: cv2.fastNlMeansDenoisingColored(f, None, 3, 3, 7, 21),
    "edges": back(lambda g: cv2.Canny(g, 100, 200)),
    "sobel": back(magnitude),
    "laplacian": back(lambda g: cv2.convertScaleAbs(cv2.Laplacian(g, cv2.CV_16S, ksize=3))),
    "morphology": lambda f, k=np.ones((5, 5), np.uint8): cv2.dilate(f, k),
    "pixelate": pixelate,
    "text": draw(
        lambda f, w, h: cv2.putText(
            f, "720p.mp4 0:00:01.000 #25", (16, 40), cv2.FONT_HERSHEY_SIMPLEX, h / 720, (255, 255, 255), 2, cv2.LINE_AA
        )
    ),
    "timecode": draw(
        lambda f, w, h: cv2.putText(
            f, "00:00:01:00", (16, h - 40), cv2.FONT_HERSHEY_SIMPLEX, h / 720, (255, 255, 255), 2, cv2.LINE_AA
        )
    ),
    "image": logo,
    "rectangle": draw(lambda f, w, h: cv2.rectangle(f, (w // 4, h // 4), (w // 2, h // 2), (0, 0, 255), 3)),
    "polygon": draw(
        lambda f, w, h: cv2.polylines(
            f, [np.int32([[w // 4, h // 4], [w // 2, h // 3], [w // 3, h // 2]])], True, (0, 255, 255), 3, cv2.LINE_AA
        )
    ),
    "line": draw(lambda f, w, h: cv2.line(f, (w // 4, h // 4), (w // 2, h // 2), (0, 255, 0), 3, cv2.LINE_AA)),
    "circle": draw(lambda f, w, h: cv2.circle(f, (w // 2, h // 2), h // 6, (255, 0, 0), 3, cv2.LINE_AA)),
    "grid": draw(grid),
    "histogram": draw(histogram),
    "compare": lambda f: np.hstack([f, f]),
    "mask": draw(mask),
    "skip": Changed(lambda a, b: cv2.norm(a, b, cv2.NORM_L1)),
    "sharpness": lambda f: cv2.Laplacian(gray(f), cv2.CV_64F).var(),
    "brightness": lambda f: gray(f).mean(),
    "noise": lambda f: np.abs(
        cv2.filter2D(gray(f), cv2.CV_32F, np.float32([[1, -2, 1], [-2, 4, -2], [1, -2, 1]]))
    ).mean(),
    "black": lambda f: (gray(f) < 32).mean(),
    "frozen": Changed(lambda a, b: cv2.absdiff(a, b).mean()),
    "flicker": lambda f: gray(f).mean(),
    "psnr": lambda f: cv2.PSNR(f, f),
    "ssim": ssim,
}


def main(name, source, frames, threads=0):
    if threads:
        cv2.setNumThreads(threads)
    capture = cv2.VideoCapture(source, cv2.CAP_FFMPEG)
    spent, count, work = 0.0, 0, None if name == "memcpy" else OPS[name]
    while count < frames:
        ok, frame = capture.read()
        if not ok:
            break
        if work is None:
            picture = np.zeros(frame.shape[0] * frame.shape[1] * 3 // 2, np.uint8) if count == 0 else picture
            other = picture.copy() if count == 0 else other
        began = time.perf_counter()
        np.copyto(other, picture) if work is None else work(frame)
        # The first call makes tables and memory.
        spent += time.perf_counter() - began if count else 0
        count += 1
    print(json.dumps({"ms": spent / max(count - 1, 1) * 1000, "frames": count}))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], *map(int, sys.argv[3:]))
