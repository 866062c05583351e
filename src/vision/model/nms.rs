//! Non-maximum suppression.

use crate::vision::Detection;

/// More candidates than this are cut to the best before they are compared with each other, so that a threshold of 0 on a
/// crowd cannot take seconds.
const MOST: usize = 4096;

/// Sorts `boxes` by score, best first, and drops each whose intersection over union with a better one (of the same class, if
/// `per_class`) is above `iou`.
pub(super) fn suppress(boxes: &mut Vec<Detection>, iou: f32, per_class: bool) {
    boxes.sort_by(|a, b| b.score.total_cmp(&a.score));
    boxes.truncate(MOST);
    let mut kept = 0;
    for i in 0..boxes.len() {
        let candidate = &boxes[i];
        let rival = |b: &Detection| (!per_class || b.class == candidate.class) && b.rect.iou(&candidate.rect) > iou;
        if !boxes[..kept].iter().any(rival) {
            boxes.swap(kept, i);
            kept += 1;
        }
    }
    boxes.truncate(kept);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vision::Rect;

    fn boxed(x: f32, score: f32, class: u32) -> Detection {
        Detection { rect: Rect::new(x, 0.0, 10.0, 10.0), score, class, ..Detection::default() }
    }

    #[test]
    fn the_better_of_two_stays_and_classes_count_only_if_asked() {
        let all = [boxed(0.0, 0.5, 0), boxed(1.0, 0.9, 0), boxed(2.0, 0.7, 1), boxed(30.0, 0.1, 0)];
        let scores = |per_class| {
            let mut boxes = all.to_vec();
            suppress(&mut boxes, 0.5, per_class);
            boxes.iter().map(|b| b.score).collect::<Vec<_>>()
        };
        assert_eq!(scores(false), [0.9, 0.1]);
        assert_eq!(scores(true), [0.9, 0.7, 0.1]);
    }
}
