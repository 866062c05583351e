//! The manifest: what a model file cannot say of itself.

use std::path::Path;

use serde::Deserialize;

use super::ModelError;
use super::labels;

/// `models/NAME.toml`: where the weights come from, how a picture becomes their input, and what their output means.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Manifest {
    /// What it finds, in one line.
    pub description: String,
    /// The weights: a file name beside the manifest or in a model folder, or a path from the manifest's folder.
    pub file: String,
    /// Where `framewright models fetch` gets them: `https://`, `http://` or `file://`.
    pub url: Option<String>,
    /// Of the weights, in hexadecimal. Without it the file is taken as it is.
    pub sha256: Option<String>,
    /// Under which the weights are published.
    pub licence: String,
    /// Whose model it is: project and paper.
    pub source: Option<String>,
    /// How a picture becomes a tensor.
    pub input: Input,
    /// What the numbers that come out mean.
    pub output: Output,
    /// Names of the classes: a list, the name of a set (`coco80`), or a text file beside the manifest with one a line.
    /// Not for embeddings.
    pub labels: Option<Labels>,
    /// What scores less is not reported, 0–1.
    #[serde(default = "default_score")]
    pub score: f32,
    /// Of two boxes whose intersection over union is above this the weaker one goes (non-maximum suppression), 0–1. Without
    /// it all stay, as for DETR.
    pub iou: Option<f32>,
    /// Suppress only between boxes of the same class. Else one thing gets one box, whatever its class.
    #[serde(default)]
    pub per_class: bool,
    /// What must be found where; for `framewright models test`.
    pub expect: Option<Expect>,
}

fn default_score() -> f32 {
    0.3
}

/// How a picture becomes a tensor.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Input {
    /// Width and height in pixels. With `multiple-of`: the largest that is used.
    pub size: [u32; 2],
    /// Any size whose sides are multiples of this will do, so small and flat pictures cost less. Without it `size` is the
    /// only one.
    pub multiple_of: Option<u32>,
    /// Order of the tensor's dimensions.
    #[serde(default)]
    pub layout: TensorLayout,
    /// Order of the channels.
    pub color: ChannelOrder,
    /// Samples, 0–255, are multiplied by this first: 1, or 0.00392157 for 0–1.
    #[serde(default = "one")]
    pub scale: f32,
    /// Then this is taken away, by channel in the order of `color`.
    #[serde(default)]
    pub mean: [f32; 3],
    /// Then they are divided by this.
    #[serde(default = "ones")]
    pub std: [f32; 3],
    /// How a picture of another shape is fitted in.
    pub fit: Fit,
    /// What lies beside the picture in a letterbox, 0–255.
    #[serde(default)]
    pub pad: f32,
}

fn one() -> f32 {
    1.0
}

fn ones() -> [f32; 3] {
    [1.0; 3]
}

/// Order of a tensor's dimensions: batch, channels, height, width.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TensorLayout {
    /// Planes.
    #[default]
    Nchw,
    /// Pixels.
    Nhwc,
}

/// Which channel comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ChannelOrder {
    /// Red first.
    Rgb,
    /// Blue first, as OpenCV reads pictures.
    Bgr,
    /// One channel: BT.601 luma.
    Gray,
}

impl ChannelOrder {
    /// How many there are.
    pub fn channels(self) -> usize {
        if self == ChannelOrder::Gray { 1 } else { 3 }
    }
}

/// How a picture of another shape is fitted into the input.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Fit {
    /// To fill it; circles become ellipses.
    Stretch,
    /// Shape kept, in the middle, padding around it (YOLOv5).
    Letterbox,
    /// Shape kept, in the upper left corner, padding right and below (YOLOX).
    LetterboxTopLeft,
}

/// Names of classes.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
pub enum Labels {
    /// One by one.
    List(Vec<String>),
    /// A set or a file.
    Named(String),
}

/// How numbers that may be logits become scores.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Activation {
    /// They are scores already.
    #[default]
    None,
    /// Each for itself.
    Sigmoid,
    /// All of a row together.
    Softmax,
}

/// The family of output.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", rename_all_fields = "kebab-case", tag = "decode")]
pub enum Output {
    /// `1×N×(5+classes)`: cell offsets x, y, log sizes, objectness, classes (YOLOX, arXiv:2107.08430).
    Yolox {
        /// Pixels between cells, finest first.
        #[serde(default = "three_strides")]
        strides: Vec<u32>,
    },
    /// `1×N×(5+classes)`: centre and size in input pixels, objectness, classes.
    Yolov5 {},
    /// `1×(4+classes)×N`: centre and size in input pixels, classes.
    Yolov8 {},
    /// Scores `N×classes` and box distributions `N×4·bins`, for each stride or joined (NanoDet, by Generalized Focal Loss,
    /// arXiv:2006.04388).
    Nanodet {
        /// Pixels between cells, finest first.
        #[serde(default = "three_strides")]
        strides: Vec<u32>,
        /// Bins of the distribution of each side.
        #[serde(default = "eight")]
        bins: usize,
        /// Where a cell's point is.
        #[serde(default)]
        point: CellPoint,
    },
    /// `1×(5+classes)×H×W`: objectness, offsets before tanh, sizes before sigmoid, classes (FastestDet).
    Fastestdet {},
    /// Faces with five landmarks (YuNet, doi:10.1007/s11633-023-1423-y), either as `loc`, `conf`, `iou` (2022) or as `cls`,
    /// `obj`, `bbox`, `kps` for each stride (2023): what it is shows in the output itself.
    Yunet {
        /// Pixels between cells, finest first; 2023 only.
        #[serde(default = "three_strides")]
        strides: Vec<u32>,
    },
    /// Scores `1×N×2` and boxes `1×N×4`, corners as shares of the input (UltraFace).
    Ultraface {
        /// The boxes are still offsets from anchors, as in the exports called `simplified`.
        #[serde(default)]
        anchors: bool,
    },
    /// Either `1×1×N×7` (picture, class, score, corners as shares), or boxes, scores and classes as separate outputs.
    Ssd {
        /// Name of the output with `N×4` boxes; with it `scores` and `classes` are needed.
        boxes: Option<String>,
        /// Name of the output with `N` scores.
        scores: Option<String>,
        /// Name of the output with `N` class numbers.
        classes: Option<String>,
        /// The boxes are in input pixels instead of shares.
        #[serde(default)]
        pixels: bool,
        /// The boxes are y, x, y, x, as TensorFlow has them.
        #[serde(default)]
        y_first: bool,
        /// Number of the first class with a label; classes below it are background.
        #[serde(default)]
        first_class: u32,
    },
    /// Logits `1×N×classes` and boxes `1×N×4`, centre and size as shares (DETR, arXiv:2005.12872).
    Detr {
        /// `softmax`: the last class means nothing (DETR). `sigmoid`: each class by itself (RT-DETR).
        #[serde(default = "softmax")]
        activation: Activation,
    },
    /// `1×classes`: how likely the whole picture shows each.
    Classify {
        /// What is still to be done to the numbers.
        #[serde(default)]
        activation: Activation,
    },
    /// `1×D`: a vector that is near those of the same thing (OSNet, arXiv:1905.00953).
    Embedding {},
}

/// Where a cell's point is, from which its box is measured.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CellPoint {
    /// On the middle pixel (NanoDet).
    #[default]
    Middle,
    /// In the upper left corner (NanoDet-Plus).
    Corner,
}

fn three_strides() -> Vec<u32> {
    vec![8, 16, 32]
}

fn eight() -> usize {
    8
}

fn softmax() -> Activation {
    Activation::Softmax
}

/// What must be found in a picture.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Expect {
    /// A picture or video file beside the manifest, or `generate:…`; its first frame counts.
    pub picture: String,
    /// Things that must be found in it; others may be too.
    pub found: Vec<Expected>,
}

/// One thing that must be found.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Expected {
    /// Its class's name.
    pub label: String,
    /// x, y, width, height in pixels; an intersection over union of 0.5 is near enough.
    #[serde(rename = "box")]
    pub rect: [f32; 4],
}

impl Manifest {
    /// Reads and checks `text`, which stands in `path` (for messages only).
    pub fn parse(text: &str, path: &Path) -> Result<Self, ModelError> {
        let wrong = |what: String| ModelError::Manifest { path: path.to_owned(), what };
        let manifest: Manifest = toml::from_str(text).map_err(|e| wrong(e.to_string().trim_end().to_owned()))?;
        manifest.check().map_err(wrong)?;
        Ok(manifest)
    }

    fn check(&self) -> Result<(), String> {
        let Input { size: [w, h], multiple_of, scale, mean, std, pad, .. } = self.input;
        for (what, side) in [("width", w), ("height", h)] {
            if !(1..=8192).contains(&side) {
                return Err(format!("input.size: a {what} of {side} is not possible: 1 to 8192"));
            }
            if let Some(m) = multiple_of
                && (m == 0 || side % m != 0)
            {
                return Err(format!("input.size: the {what} {side} is no multiple of {m} (multiple-of)"));
            }
        }
        if std.iter().any(|v| !v.is_finite() || *v == 0.0) {
            return Err("input.std: 0 is not possible, since it divides".into());
        }
        if !scale.is_finite() || scale == 0.0 || mean.iter().any(|v| !v.is_finite()) {
            return Err("input.scale and input.mean must be finite numbers, the scale not 0".into());
        }
        if !(0.0..=255.0).contains(&pad) {
            return Err(format!("input.pad: {pad} is not possible: 0 to 255"));
        }
        for (key, share) in [("score", Some(self.score)), ("iou", self.iou)] {
            if share.is_some_and(|v| !(0.0..=1.0).contains(&v)) {
                return Err(format!("{key}: {} is not possible: 0 to 1", share.unwrap_or_default()));
            }
        }
        if let Some(sum) = &self.sha256
            && (sum.len() != 64 || !sum.bytes().all(|b| b.is_ascii_hexdigit()))
        {
            return Err(format!("sha256: `{sum}` is no SHA-256: 64 hexadecimal digits"));
        }
        if self.file.is_empty() {
            return Err("file: a name is needed".into());
        }
        if let Some(strides) = self.output.strides()
            && (strides.is_empty() || strides.contains(&0))
        {
            return Err("output.strides: numbers above 0 are needed".into());
        }
        match &self.output {
            Output::Ssd { boxes, scores, classes, .. } => {
                let named = [boxes, scores, classes].iter().filter(|n| n.is_some()).count();
                if named != 0 && named != 3 {
                    return Err("output: boxes, scores and classes belong together: give all three or none".into());
                }
            }
            Output::Nanodet { bins, .. } if !(2..=64).contains(bins) => {
                return Err(format!("output.bins: {bins} is not possible: 2 to 64"));
            }
            _ => {}
        }
        match (&self.labels, &self.output) {
            (Some(_), Output::Embedding {}) => Err("labels: an embedding has no classes".into()),
            (None, Output::Embedding {}) => Ok(()),
            (None, _) => Err(format!(
                "labels are missing: a list, the name of a set ({}), or a text file with one a line",
                labels::names()
            )),
            (Some(Labels::List(list)), _) if list.is_empty() => Err("labels: the list is empty".into()),
            _ => Ok(()),
        }
    }
}

impl Output {
    /// Pixels between cells, where the family has cells whose distance is not in the output's shape.
    pub fn strides(&self) -> Option<&[u32]> {
        match self {
            Output::Yolox { strides } | Output::Nanodet { strides, .. } | Output::Yunet { strides } => Some(strides),
            _ => None,
        }
    }

    /// The word in the manifest.
    pub fn name(&self) -> &'static str {
        match self {
            Output::Yolox { .. } => "yolox",
            Output::Yolov5 {} => "yolov5",
            Output::Yolov8 {} => "yolov8",
            Output::Nanodet { .. } => "nanodet",
            Output::Fastestdet {} => "fastestdet",
            Output::Yunet { .. } => "yunet",
            Output::Ultraface { .. } => "ultraface",
            Output::Ssd { .. } => "ssd",
            Output::Detr { .. } => "detr",
            Output::Classify { .. } => "classify",
            Output::Embedding {} => "embedding",
        }
    }

    /// True for those that give boxes.
    pub fn has_boxes(&self) -> bool {
        !matches!(self, Output::Classify { .. } | Output::Embedding {})
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = r#"
        description = "faces"
        file = "faces.onnx"
        licence = "MIT"
        labels = ["face"]
        input = { size = [320, 240], color = "rgb", fit = "stretch" }
        output = { decode = "ultraface" }
    "#;

    fn error(text: &str) -> String {
        Manifest::parse(text, Path::new("faces.toml")).unwrap_err().to_string()
    }

    #[test]
    fn says_what_is_wrong_and_in_which_file() {
        assert!(Manifest::parse(GOOD, Path::new("faces.toml")).is_ok());
        let cases = [
            (GOOD.replace("licence", "lizenz"), "lizenz"),
            (GOOD.replace("320", "0"), "a width of 0"),
            (GOOD.replace("\"rgb\"", "\"rbg\""), "rbg"),
            (GOOD.replace("ultraface", "utraface"), "utraface"),
            (GOOD.replace("decode = \"ultraface\"", "decode = \"ultraface\", strides = [8]"), "strides"),
            (GOOD.replace("[\"face\"]", "[]"), "the list is empty"),
            (GOOD.replace("labels = [\"face\"]", ""), "labels are missing"),
            (GOOD.replace("licence", "sha256 = \"abc\"\nlicence"), "64 hexadecimal digits"),
            (GOOD.replace("licence", "score = 1.5\nlicence"), "score: 1.5"),
            (GOOD.replace("\"stretch\"", "\"stretch\", std = [1, 0, 1]"), "input.std"),
        ];
        for (text, needle) in cases {
            let message = error(&text);
            assert!(message.contains("faces.toml") && message.contains(needle), "{needle}: {message}");
        }
    }
}
