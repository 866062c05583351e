//! Takes out the distortion of a lens.

use std::sync::Arc;

use opencv::calib3d;
use opencv::core::{self as cv, FileNode, FileStorage, Mat, Size};
use opencv::prelude::*;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::warp::{Border, Interpolation, Warp};
use super::{Group, Invalid, Mode, Op, OpConfig, OpError, Reach, Stream};
use crate::frame::{Color, Frame, Spec};

/// Takes out the distortion of a lens, by a calibration file of OpenCV: straight lines become straight.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Undistort {
    /// Path of the calibration; required. YAML, XML or JSON as OpenCV's calibration samples write it (`camera_matrix`,
    /// `distortion_coefficients`, `image_width`, `image_height`), or ROS's `camera_info`. A calibration for another picture size
    /// is scaled; one that names no size is taken to be for the video's.
    pub calibration: String,
    /// Model of the lens: `auto` (what the file says, else standard), `standard` (radial and tangential) or `fisheye`.
    pub model: Model,
    /// How much of the straightened picture is shown: 0 only what has no gaps at the border, 1 every pixel of the source, with
    /// gaps.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub alpha: f64,
    /// Colour of the gaps.
    pub color: Color,
    /// `nearest`, `linear`, `cubic` or `lanczos`.
    pub interpolation: Interpolation,
}

/// Model of a lens.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[allow(missing_docs)]
pub enum Model {
    #[default]
    Auto,
    Standard,
    Fisheye,
}

impl Default for Undistort {
    fn default() -> Self {
        Undistort {
            calibration: String::new(),
            model: Model::Auto,
            alpha: 0.0,
            color: Color::BLACK,
            interpolation: Interpolation::Linear,
        }
    }
}

impl OpConfig for Undistort {
    const NAME: &'static str = "undistort";
    const GROUP: Group = Group::Geometry;
    const EXAMPLE: &'static str = "undistort:calibration=config/assets/lens.yaml";
    const BEHIND: &'static str = "cv::initUndistortRectifyMap or its fisheye kin, cv::remap with tables made once";

    fn check(&self) -> Result<(), Invalid> {
        if self.calibration.is_empty() {
            let message = format!("calibration is missing or empty: give a file, as in --op {}", Self::EXAMPLE);
            return Err(Invalid::new("calibration", message));
        }
        Invalid::unless_in("alpha", self.alpha, 0.0..=1.0)
    }

    fn reach(&self) -> Reach {
        Reach::Whole
    }

    fn moves_pixels(&self) -> bool {
        true
    }

    fn build(&self) -> Box<dyn Op> {
        Box::new(Straightening { config: self.clone(), warp: None })
    }
}

/// What a calibration file says.
#[derive(Clone, Debug, PartialEq)]
struct Lens {
    /// Of the pictures that it was made with.
    size: Option<(f64, f64)>,
    /// Row by row.
    camera: [f64; 9],
    distortion: Vec<f64>,
    fisheye: bool,
}

const CAMERA: &[&str] =
    &["camera_matrix", "Camera_Matrix", "cameraMatrix", "CameraMatrix", "intrinsic_matrix", "K", "mtx"];
const DISTORTION: &[&str] = &[
    "distortion_coefficients",
    "Distortion_Coefficients",
    "distCoeffs",
    "DistCoeffs",
    "dist_coeffs",
    "distortion",
    "D",
    "dist",
];
const WIDTH: &[&str] = &["image_width", "image_Width", "imageWidth", "width"];
const HEIGHT: &[&str] = &["image_height", "image_Height", "imageHeight", "height"];

impl Lens {
    fn read(path: &str) -> Result<Self, String> {
        let text = std::fs::read_to_string(path).map_err(|e| format!("cannot read the calibration {path}: {e}"))?;
        Lens::parse(&text).map_err(|e| format!("the calibration {path} {e}"))
    }

    fn parse(text: &str) -> Result<Self, String> {
        // OpenCV knows its formats by their first characters; plain YAML has none.
        let known = ["%YAML", "<?xml", "{"].iter().any(|start| text.trim_start().starts_with(start));
        let text = match (known, text.starts_with("---")) {
            (true, _) => text.trim_start().to_owned(),
            (_, true) => format!("%YAML:1.0\n{text}"),
            (_, false) => format!("%YAML:1.0\n---\n{text}"),
        };
        let broken = |e: opencv::Error| format!("is no YAML, XML or JSON that OpenCV reads: {}", e.message.trim());
        let file = FileStorage::new(&text, cv::FileStorage_READ | cv::FileStorage_MEMORY, "").map_err(broken)?;
        let find = |keys: &[&str]| -> Result<Vec<f64>, String> {
            for key in keys {
                let node = file.get_node(key).map_err(broken)?;
                let mut out = Vec::new();
                numbers(&node, &mut out).map_err(broken)?;
                if !out.is_empty() {
                    return Ok(out);
                }
            }
            Ok(Vec::new())
        };
        let word = |key: &str| file.get_node(key).and_then(|n| n.string()).unwrap_or_default();
        let camera = find(CAMERA)?;
        let camera: [f64; 9] =
            camera.try_into().map_err(|c: Vec<f64>| format!("has {} numbers for camera_matrix, not 9", c.len()))?;
        let distortion = find(DISTORTION)?;
        if camera[0] <= 0.0 || camera[4] <= 0.0 || !camera.iter().chain(&distortion).all(|v| v.is_finite()) {
            return Err(format!("has focal lengths of {} and {}, which must be above 0", camera[0], camera[4]));
        }
        let size = (find(WIDTH)?.first().copied(), find(HEIGHT)?.first().copied());
        let size = if let (Some(w), Some(h)) = size { (w > 0.0 && h > 0.0).then_some((w, h)) } else { None };
        let model = word("distortion_model");
        let fisheye = find(&["fisheye_model"])?.first().is_some_and(|v| *v != 0.0)
            || ["fisheye", "equidistant"].contains(&model.as_str());
        Ok(Lens { size, camera, distortion, fisheye })
    }

    /// The camera matrix for pictures of another size, pixels counted from the middle of the first one.
    fn scaled(&self, width: u32, height: u32) -> [f64; 9] {
        let Some((w, h)) = self.size else { return self.camera };
        let (sx, sy, k) = (f64::from(width) / w, f64::from(height) / h, self.camera);
        [k[0] * sx, k[1] * sx, (k[2] + 0.5) * sx - 0.5, 0.0, k[4] * sy, (k[5] + 0.5) * sy - 0.5, 0.0, 0.0, 1.0]
    }
}

/// All numbers of a node: one, a list, or a matrix, which is a map with `data`.
fn numbers(node: &FileNode, out: &mut Vec<f64>) -> opencv::Result<()> {
    if node.is_map()? {
        return numbers(&node.get_node("data")?, out);
    }
    if node.is_seq()? {
        // No calibration has more than 14 coefficients.
        for i in 0..node.size()?.min(64) {
            numbers(&node.at(i as i32)?, out)?;
        }
    } else if node.is_int()? || node.is_real()? {
        out.push(node.to_f64()?);
    }
    Ok(())
}

struct Straightening {
    config: Undistort,
    warp: Option<Warp>,
}

fn matrix(k: &[f64; 9]) -> opencv::Result<Mat> {
    Mat::from_slice_2d(&[&k[..3], &k[3..6], &k[6..]])
}

impl Undistort {
    /// The camera matrix of the straightened picture.
    fn straight(&self, k: &[f64; 9], distortion: &[f64], fisheye: bool, size: Size) -> opencv::Result<[f64; 9]> {
        let (camera, d) = (matrix(k)?, Mat::from_slice(distortion)?);
        let new = match fisheye {
            true => {
                let (eye, mut new) = (Mat::eye(3, 3, cv::CV_64F)?, Mat::default());
                let same = Size::default();
                calib3d::estimate_new_camera_matrix_for_undistort_rectify(
                    &camera, &d, size, &eye, &mut new, self.alpha, same, 1.0,
                )?;
                new
            }
            false => calib3d::get_optimal_new_camera_matrix(&camera, &d, size, self.alpha, size, None, false)?,
        };
        let mut out = *k;
        for (r, row) in out.chunks_exact_mut(3).enumerate() {
            row.copy_from_slice(new.at_row::<f64>(r as i32)?);
        }
        // Pictures of a few pixels have no inner rectangle to be estimated: they stay as large as they are.
        let sound = out.iter().all(|v| v.is_finite()) && (0.01..100.0).contains(&(out[0] / k[0]));
        Ok(if sound && (0.01..100.0).contains(&(out[4] / k[4])) { out } else { *k })
    }
}

impl Op for Straightening {
    fn mode(&self) -> Mode {
        Mode::Transform
    }

    fn prepare(&mut self, input: &Arc<Spec>, _: &Stream) -> Result<Arc<Spec>, OpError> {
        let c = &self.config;
        let lens = Lens::read(&c.calibration).map_err(OpError::Refused)?;
        let fisheye = c.model == Model::Fisheye || c.model == Model::Auto && lens.fisheye;
        let (allowed, model): (&[usize], _) =
            if fisheye { (&[4], "fisheye") } else { (&[4, 5, 8, 12, 14], "standard") };
        if !allowed.contains(&lens.distortion.len()) {
            return Err(OpError::Refused(format!(
                "the calibration {} has {} distortion coefficients, and the {model} model takes {allowed:?}: \
                 see to `model` and to the file",
                c.calibration,
                lens.distortion.len(),
            )));
        }
        let (w, h) = (input.info.width(), input.info.height());
        let k = lens.scaled(w, h);
        let new = c.straight(&k, &lens.distortion, fisheye, Size::new(w as i32, h as i32))?;
        let mut warp = Warp::new(input, input, c.interpolation, Border::Color(c.color))?;
        let d = Mat::from_slice(&lens.distortion)?;
        let none = Mat::eye(3, 3, cv::CV_64F)?.to_mat()?;
        warp.tables(|grid, size| {
            // The distortion works on directions: only the way from directions to samples differs by plane.
            let on_plane = |k: &[f64; 9]| {
                let (s, o) = (grid.scale, grid.offset);
                let rows =
                    [k[0] / s.0, k[1] / s.0, (k[2] - o.0) / s.0, 0.0, k[4] / s.1, (k[5] - o.1) / s.1, 0.0, 0.0, 1.0];
                matrix(&rows)
            };
            let (from, to, mut maps) = (on_plane(&k)?, on_plane(&new)?, [Mat::default(), Mat::default()]);
            let [places, fractions] = &mut maps;
            match fisheye {
                true => calib3d::fisheye_init_undistort_rectify_map(
                    &from,
                    &d,
                    &none,
                    &to,
                    size,
                    cv::CV_16SC2,
                    places,
                    fractions,
                )?,
                false => {
                    calib3d::init_undistort_rectify_map(&from, &d, &none, &to, size, cv::CV_16SC2, places, fractions)?
                }
            }
            Ok(maps)
        })?;
        self.warp = Some(warp);
        Ok(input.clone())
    }

    fn transform(&mut self, from: &Frame, to: &mut Frame) -> Result<(), OpError> {
        match &self.warp {
            Some(warp) => warp.remap(from, to),
            None => Err(OpError::Refused("undistort was not prepared".into())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CAMERA: [f64; 9] = [960.0, 0.0, 639.5, 0.0, 960.0, 359.5, 0.0, 0.0, 1.0];

    #[test]
    fn reads_what_calibrations_look_like() {
        let shipped = Lens::read("config/assets/lens.yaml").unwrap();
        assert_eq!((shipped.camera, shipped.size, shipped.fisheye), (CAMERA, Some((1280.0, 720.0)), false));
        assert_eq!(shipped.distortion, [-0.28, 0.08, 0.0, 0.0, 0.0]);
        let json = r#"{"K": [[960, 0, 639.5], [0, 960, 359.5], [0, 0, 1]], "D": [[0.1], [0.2], [0], [0]], "fisheye_model": 1}"#;
        let json = Lens::parse(json).unwrap();
        assert_eq!((json.camera, json.size, json.fisheye), (CAMERA, None, true));
        assert_eq!(json.distortion, [0.1, 0.2, 0.0, 0.0]);
        let xml = "<?xml version=\"1.0\"?>\n<opencv_storage>\n<image_width>640</image_width><image_height>480</image_height>\n\
            <camera_matrix type_id=\"opencv-matrix\"><rows>3</rows><cols>3</cols><dt>d</dt>\
            <data>960. 0. 639.5 0. 960. 359.5 0. 0. 1.</data></camera_matrix>\n\
            <distortion_coefficients type_id=\"opencv-matrix\"><rows>4</rows><cols>1</cols><dt>d</dt>\
            <data>0.1 0.2 0. 0.</data></distortion_coefficients>\n</opencv_storage>\n";
        let xml = Lens::parse(xml).unwrap();
        assert_eq!((xml.camera, xml.size, xml.distortion.len()), (CAMERA, Some((640.0, 480.0)), 4));
        let ros = "image_width: 640\nimage_height: 480\ndistortion_model: equidistant\ncamera_matrix:\n  rows: 3\n  cols: 3\n  \
            data: [960.0, 0.0, 639.5, 0.0, 960.0, 359.5, 0.0, 0.0, 1.0]\ndistortion_coefficients:\n  rows: 1\n  cols: 4\n  \
            data: [0.1, 0.2, 0.0, 0.0]\n";
        let ros = Lens::parse(ros).unwrap();
        assert_eq!((ros.camera, ros.fisheye, ros.distortion.len()), (CAMERA, true, 4));
    }

    #[test]
    fn broken_calibrations_say_why() {
        assert!(Lens::parse("just text").unwrap_err().contains("camera_matrix") || Lens::parse("just text").is_err());
        assert!(Lens::parse("K: [1, 2, 3]\n").unwrap_err().contains("3 numbers"));
        assert!(Lens::parse("K: [0, 0, 1, 0, 1, 1, 0, 0, 1]\n").unwrap_err().contains("above 0"));
        assert!(Lens::read("no/such.yaml").unwrap_err().contains("no/such.yaml"));
        assert!(Lens::parse("{\"K\": [").is_err());
    }

    #[test]
    fn another_picture_size_scales_the_camera() {
        let lens = Lens::read("config/assets/lens.yaml").unwrap();
        let k = lens.scaled(640, 720);
        assert_eq!((k[0], k[2], k[4], k[5]), (480.0, 319.5, 960.0, 359.5));
    }
}
