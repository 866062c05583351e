//! What runs a network: ONNX Runtime, or OpenCV's own where that is not installed.

mod onnxruntime;
mod opencv;

use std::sync::Once;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{ModelError, Options, Weights};

pub use onnxruntime::runtime;

/// Which library runs networks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum EngineChoice {
    /// ONNX Runtime where it is installed, else OpenCV.
    #[default]
    Auto,
    /// ONNX Runtime, or an error.
    Onnxruntime,
    /// OpenCV's DNN module: nothing to install, several times slower, and not for every model.
    Opencv,
}

/// On what ONNX Runtime computes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Provider {
    /// The processor.
    #[default]
    Cpu,
    /// An NVIDIA card, by CUDA.
    Cuda,
    /// An NVIDIA card, by TensorRT: the first start takes minutes.
    Tensorrt,
    /// Intel processors, graphics and NPUs, by OpenVINO.
    Openvino,
}

impl Provider {
    /// Its name as its makers write it.
    pub fn name(self) -> &'static str {
        match self {
            Provider::Cpu => "CPU",
            Provider::Cuda => "CUDA",
            Provider::Tensorrt => "TensorRT",
            Provider::Openvino => "OpenVINO",
        }
    }
}

/// One output of a run.
#[derive(Clone, Debug)]
pub struct Tensor<'a> {
    /// By the model's author.
    pub name: &'a str,
    /// Sizes of the dimensions, batch first.
    pub shape: &'a [usize],
    /// Row-major.
    pub data: &'a [f32],
}

/// A loaded network with one input, which holds pictures.
pub trait Engine: Send {
    /// Its name as its makers write it.
    fn name(&self) -> &'static str;

    /// Sizes of the input's dimensions; `None` where any will do. Empty where the engine cannot tell.
    fn input(&self) -> &[Option<usize>];

    /// Runs it on `data` of `shape` and hands the outputs to `then`.
    fn run(
        &mut self,
        data: &[f32],
        shape: [usize; 4],
        then: &mut dyn FnMut(&[Tensor<'_>]) -> Result<(), String>,
    ) -> Result<(), String>;
}

/// Loads `weights` for the model called `name`.
pub(super) fn open(name: &str, weights: &Weights, options: &Options) -> Result<Box<dyn Engine>, ModelError> {
    let path = match weights {
        Weights::File(path) => path.clone(),
        Weights::BuiltIn(_) => "its built-in weights".into(),
    };
    let failed = |engine| {
        let path = path.clone();
        move |what| ModelError::Load { name: name.to_owned(), path, engine, what }
    };
    let absent = |what: String| ModelError::NoEngine { name: name.to_owned(), what };
    if options.engine == EngineChoice::Opencv {
        if options.provider != Provider::Cpu {
            let provider = options.provider.name();
            return Err(absent(format!("provider {provider} needs ONNX Runtime, and engine = \"opencv\" is set")));
        }
        return Ok(Box::new(opencv::Dnn::open(weights).map_err(failed("OpenCV"))?));
    }
    match runtime() {
        Ok(runtime) => {
            let session = onnxruntime::Session::open(&runtime, weights, options).map_err(|e| match e {
                onnxruntime::OpenError::Provider(what) => absent(what),
                onnxruntime::OpenError::Model(what) => failed("ONNX Runtime")(what),
            })?;
            Ok(Box::new(session))
        }
        Err(why) if options.engine == EngineChoice::Onnxruntime || options.provider != Provider::Cpu => {
            Err(absent(format!("ONNX Runtime is needed and not there: {why}")))
        }
        Err(why) => {
            static SAID: Once = Once::new();
            SAID.call_once(|| {
                log::warn!(
                    "networks run in OpenCV, up to 8 times slower than in ONNX Runtime, which is not there ({why}); \
                     scripts/setup installs it"
                );
            });
            let cannot = |what| {
                let what = format!("{what}; ONNX Runtime may, but is not there ({why})");
                failed("OpenCV")(what)
            };
            Ok(Box::new(opencv::Dnn::open(weights).map_err(cannot)?))
        }
    }
}
