//! Text at the size that fits, in OpenCV's own stroke font: the same on every machine, ASCII only.

use opencv::core::{Point, Rect, Scalar};
use opencv::imgproc;

/// The font: digits of equal width, so that running numbers stand still.
const FONT: i32 = imgproc::FONT_HERSHEY_DUPLEX;

/// Draws `text` centred in `area`, as large as `like` would fit there (`like` is the widest text to come, so that a
/// running number keeps its size and place). Draws nothing where letters would be lower than 4 pixels.
pub(crate) fn fit(
    to: &mut impl opencv::core::ToInputOutputArray,
    text: &str,
    like: &str,
    area: Rect,
    color: Scalar,
) -> opencv::Result<()> {
    let mut baseline = 0;
    let unit = imgproc::get_text_size(like, FONT, 1.0, 1, &mut baseline)?;
    if unit.width <= 0 || unit.height <= 0 {
        return Ok(());
    }
    let scale = (f64::from(area.width) / f64::from(unit.width)).min(f64::from(area.height) / f64::from(unit.height));
    if f64::from(unit.height) * scale < 4.0 {
        return Ok(());
    }
    let thickness = ((scale * 1.6).round() as i32).max(1);
    let size = imgproc::get_text_size(like, FONT, scale, 1, &mut baseline)?;
    let at = Point::new(area.x + (area.width - size.width) / 2, area.y + (area.height + size.height) / 2);
    imgproc::put_text(to, text, at, FONT, scale, color, thickness, imgproc::LINE_AA, false)
}

#[cfg(test)]
mod tests {
    use super::*;
    use opencv::core::{CV_8UC1, Mat};
    use opencv::prelude::*;

    #[test]
    fn fills_its_area_and_stays_inside() {
        let mut m = Mat::zeros(100, 400, CV_8UC1).unwrap().to_mat().unwrap();
        fit(&mut m, "00:00:10.040", "00:00:00.000", Rect::new(50, 25, 300, 50), Scalar::all(255.0)).unwrap();
        let ink = opencv::imgproc::bounding_rect(&m).unwrap();
        assert!(ink.width > 270 && ink.height > 20, "{ink:?}");
        assert!(ink.x >= 45 && ink.x + ink.width <= 355 && ink.y >= 20 && ink.y + ink.height <= 80, "{ink:?}");
    }
}
