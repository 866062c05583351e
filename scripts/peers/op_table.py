"""framewright's ops beside the same work by ffmpeg: what `scripts/bench ops` and `scripts/bench chains` measure.

Each row: a name that scripts/peers/opencv_ops.py knows too, framewright's `--op`, ffmpeg's filter or None where it has
none, and how many frames are enough.
"""

FRAMES = 60
SLOW = 8

OPS = [
    ("resize", "resize:width=50%,height=50%,interpolation=area", "scale=iw/2:ih/2:flags=area", FRAMES),
    ("crop", "crop:width=50%,height=50%,position=top-left", "crop=iw/2:ih/2:0:0", FRAMES),
    ("pad", "pad:left=60,right=60,top=60,bottom=60", "pad=iw+120:ih+120:60:60", FRAMES),
    ("rotate", "rotate:angle=90", "transpose=1", FRAMES),
    ("rotate-any", "rotate:angle=5,expand=false", "rotate=5*PI/180:bilinear=1", FRAMES),
    ("flip", "flip", "hflip", FRAMES),
    ("perspective", "perspective:from=10%,10% 90%,0% 100%,100% 0%,90%", "perspective=W*0.1:H*0.1:W*0.9:0:0:H*0.9:W:H", FRAMES),
    ("undistort", "undistort:calibration=config/assets/lens.yaml", "lenscorrection=k1=-0.1:k2=0.02:i=bilinear", FRAMES),
    ("stabilize", "stabilize", "deshake", FRAMES),
    ("gray", "gray", "hue=s=0", FRAMES),
    ("brightness-contrast", "brightness-contrast:brightness=0.04,contrast=1.2", "eq=brightness=0.04:contrast=1.2", FRAMES),
    ("gamma", "gamma:gamma=1.4", "eq=gamma=1.4", FRAMES),
    ("saturation", "saturation:saturation=1.4", "eq=saturation=1.4", FRAMES),
    ("white-balance", "white-balance", "grayworld", FRAMES),
    ("equalize", "equalize", "histeq", FRAMES),
    ("clahe", "clahe", None, FRAMES),
    ("invert", "invert", "negate", FRAMES),
    ("colormap", "colormap:map=turbo", "pseudocolor=preset=turbo", FRAMES),
    ("lut", "lut:path=config/assets/warm.cube", "lut3d=config/assets/warm.cube", FRAMES),
    ("threshold", "threshold", None, FRAMES),
    ("blur", "blur:size=9", "gblur=sigma=1.7", FRAMES),
    ("blur-box", "blur:method=box,size=9", "boxblur=4:1", FRAMES),
    ("blur-median", "blur:method=median,size=5", "median=2", FRAMES),
    ("sharpen", "sharpen", "unsharp=5:5:1:5:5:0", FRAMES),
    ("denoise", "denoise:method=temporal", "hqdn3d=0:0:6:6", FRAMES),
    ("denoise-nlm", "denoise:method=nlm", "nlmeans=s=3:p=7:r=21", SLOW),
    ("edges", "edges", "edgedetect", FRAMES),
    ("sobel", "sobel", "sobel=planes=1", FRAMES),
    ("laplacian", "laplacian", "convolution=0 1 0 1 -4 1 0 1 0", FRAMES),
    ("morphology", "morphology:operation=dilate,size=5", "dilation,dilation", FRAMES),
    ("pixelate", "pixelate:size=16", "pixelize=16:16", FRAMES),
    ("text", "text:text={source} {time} #{frame}", "drawtext=text='%{pts\\:hms} #%{n}':fontsize=29:borderw=2", FRAMES),
    ("timecode", "timecode", "drawtext=timecode='00\\:00\\:00\\:00':rate=25:fontsize=29", FRAMES),
    ("image", "image:path=config/assets/logo.png", "OVERLAY", FRAMES),
    ("rectangle", "rectangle:x=25%,y=25%,width=25%,height=25%,color=red", "drawbox=iw/4:ih/4:iw/4:ih/4:red:3", FRAMES),
    ("polygon", "polygon:points=25%,25% 50%,33% 33%,50%,color=yellow", None, FRAMES),
    ("line", "line:from=25%,25%,to=50%,50%,color=lime", None, FRAMES),
    ("circle", "circle", None, FRAMES),
    ("grid", "grid", "drawgrid=w=iw/3:h=ih/3:t=2:c=white", FRAMES),
    ("histogram", "histogram", None, FRAMES),
    ("compare", "compare", "SPLIT", FRAMES),
    ("mask", "mask:method=blur,region=25%,25%,25%,25%", None, FRAMES),
    ("skip", "skip", "mpdecimate", FRAMES),
    ("sharpness", "sharpness", None, FRAMES),
    ("brightness", "brightness", "signalstats", FRAMES),
    ("noise", "noise", None, FRAMES),
    ("black", "black", "blackdetect", FRAMES),
    ("frozen", "frozen", "freezedetect", FRAMES),
    ("flicker", "flicker", None, FRAMES),
    ("psnr", "psnr:reference={input}", "PSNR", FRAMES),
    ("ssim", "ssim:reference={input}", "SSIM", FRAMES),
]

# Chains of five common ops beside ffmpeg's same chain; framewright must be 1.5 times as fast.
CHAINS = [
    (
        "look",
        ["brightness-contrast:brightness=0.04,contrast=1.2", "saturation:saturation=1.4", "sharpen", "blur:size=9"]
        + ["text:text={source} {time} #{frame}"],
        "eq=brightness=0.04:contrast=1.2,eq=saturation=1.4,unsharp=5:5:1:5:5:0,gblur=sigma=1.7,"
        "drawtext=text='%{pts\\:hms} #%{n}':fontsize=29:borderw=2",
    ),
    (
        "frame",
        ["crop:width=80%,height=80%", "flip", "gamma:gamma=1.4", "resize:width=50%,height=50%", "rectangle"],
        "crop=iw*0.8:ih*0.8,hflip,eq=gamma=1.4,scale=iw/2:ih/2,drawbox=iw/4:ih/4:iw/4:ih/4:red:3",
    ),
    (
        "sketch",
        ["denoise:method=temporal", "edges", "invert", "grid", "timecode"],
        "hqdn3d=0:0:6:6,edgedetect,negate,drawgrid=w=iw/3:h=ih/3:t=2:c=white,"
        "drawtext=timecode='00\\:00\\:00\\:00':rate=25:fontsize=29",
    ),
]

# A heavy op of plain loops: two workers must give 1.7 times the speed of one.
HEAVY = "blur:method=bilateral,size=15"
