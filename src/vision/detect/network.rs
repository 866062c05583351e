//! Networks: what a manifest describes, whatever it answers with.

use std::sync::Arc;

use super::{DetectError, Detector, Options};
use crate::frame::Frame;
use crate::vision::model::Model;
use crate::vision::model::manifest::Output;
use crate::vision::{Detection, Rect};

/// A network at work.
pub(super) struct Network {
    model: Model,
    answers: Answers,
}

enum Answers {
    Boxes,
    /// One label for each area.
    Class,
    /// One vector for each area.
    Vector,
}

impl Network {
    pub fn open(name: &str, options: &Options) -> Result<Self, DetectError> {
        let model = Model::load(name, &options.network).map_err(|e| match e.fix() {
            Some(fix) => DetectError::Unusable { what: e.to_string(), fix },
            None => DetectError::Model(e.to_string()),
        })?;
        let answers = match model.manifest().output {
            Output::Classify { .. } => Answers::Class,
            Output::Embedding {} => Answers::Vector,
            _ => Answers::Boxes,
        };
        Ok(Network { model, answers })
    }
}

impl Detector for Network {
    fn detect(
        &mut self,
        frame: &Frame,
        areas: &[Rect],
        found: &mut Vec<(usize, Detection)>,
    ) -> Result<(), DetectError> {
        match self.answers {
            Answers::Boxes => self.model.detect(frame, areas, found),
            Answers::Vector => Ok(()),
            Answers::Class => {
                let all = self.model.classify(frame, areas)?;
                for (i, (scores, area)) in all.iter().zip(areas).enumerate() {
                    let best = scores.iter().enumerate().max_by(|a, b| a.1.total_cmp(b.1));
                    let Some((class, score)) = best else { continue };
                    let label = self.model.labels().get(class).cloned().unwrap_or_default();
                    let d =
                        Detection { rect: *area, score: *score, class: class as u32, label, ..Detection::default() };
                    found.push((i, d));
                }
                Ok(())
            }
        }
    }

    fn describe(&mut self, frame: &Frame, areas: &[Rect]) -> Result<Option<Vec<Arc<[f32]>>>, DetectError> {
        match self.answers {
            Answers::Vector => self.model.embed(frame, areas).map(Some),
            _ => Ok(None),
        }
    }

    fn labels(&self) -> &[Arc<str>] {
        self.model.labels()
    }

    fn detail(&self) -> String {
        let [w, h] = self.model.manifest().input.size;
        format!("{} at {w}x{h} by {}", self.model.name(), self.model.engine())
    }
}
