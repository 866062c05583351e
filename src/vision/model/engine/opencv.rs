//! OpenCV's DNN module.

use std::sync::Once;

use opencv::core::{Mat, Vector};
use opencv::dnn;
use opencv::prelude::*;

use super::{Engine, Tensor, Weights};

/// A loaded network.
pub(super) struct Dnn {
    net: dnn::Net,
    names: Vec<String>,
    outputs: Vector<Mat>,
}

impl Dnn {
    pub(super) fn open(weights: &Weights) -> Result<Self, String> {
        // It writes what it is about to throw to standard error first; the error itself is enough.
        static QUIET: Once = Once::new();
        QUIET.call_once(|| {
            let _ = opencv::core::set_log_level(opencv::core::LogLevel::LOG_LEVEL_SILENT);
        });
        let net = match weights {
            Weights::File(path) => dnn::read_net_from_onnx(path),
            Weights::BuiltIn(bytes) => dnn::read_net_from_onnx_buffer(&Vector::from_slice(bytes)),
        };
        let net = net.map_err(words)?;
        if net.empty().map_err(words)? {
            return Err("it holds no network".into());
        }
        let names = net.get_unconnected_out_layers_names().map_err(words)?.to_vec();
        Ok(Dnn { net, names, outputs: Vector::new() })
    }
}

/// OpenCV's message without its place in OpenCV's source.
fn words(e: opencv::Error) -> String {
    let text = e.message.replace('\n', " ");
    let text = text.split_once("error: ").map_or(text.as_str(), |(_, rest)| rest);
    let mut short: String = text.chars().take(200).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    short.trim().to_owned()
}

impl Engine for Dnn {
    fn name(&self) -> &'static str {
        "OpenCV"
    }

    fn input(&self) -> &[Option<usize>] {
        &[]
    }

    fn run(
        &mut self,
        data: &[f32],
        shape: [usize; 4],
        then: &mut dyn FnMut(&[Tensor<'_>]) -> Result<(), String>,
    ) -> Result<(), String> {
        let sizes = shape.map(|d| d as i32);
        let blob = Mat::new_nd_with_data(&sizes, data).map_err(words)?;
        self.net.set_input_def(&blob).map_err(words)?;
        let names: Vector<String> = self.names.iter().map(String::as_str).collect();
        self.net.forward(&mut self.outputs, &names).map_err(words)?;
        let mats: Vec<Mat> = self.outputs.iter().collect();
        let mut shapes = Vec::with_capacity(mats.len());
        for mat in &mats {
            shapes.push(mat.mat_size().iter().map(|d| usize::try_from(*d).unwrap_or(0)).collect::<Vec<_>>());
        }
        let mut tensors = Vec::with_capacity(mats.len());
        for ((mat, shape), name) in mats.iter().zip(&shapes).zip(&self.names) {
            tensors.push(Tensor { name, shape, data: mat.data_typed().map_err(words)? });
        }
        then(&tensors)
    }
}
