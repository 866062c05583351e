//! ONNX Runtime, from a shared library that is looked for when the first model is loaded.

use std::path::PathBuf;
use std::sync::OnceLock;

use ort::environment::Environment;
use ort::session::builder::{GraphOptimizationLevel, SessionBuilder};

use ort::value::{DynValue, TensorElementType, TensorRef, ValueType};

use super::{Engine, Options, Provider, Tensor, Weights};

/// The library, once it is found.
#[derive(Clone)]
pub struct Runtime {
    environment: Environment,
    /// Where it was found.
    pub path: PathBuf,
}

/// The name of the library on this system, without a version.
#[cfg(target_os = "macos")]
const LIBRARY: &str = "libonnxruntime.dylib";
#[cfg(not(target_os = "macos"))]
const LIBRARY: &str = "libonnxruntime.so";

/// The library: loaded once; what went wrong then stays so.
pub fn runtime() -> Result<Runtime, String> {
    static RUNTIME: OnceLock<Result<Runtime, String>> = OnceLock::new();
    RUNTIME.get_or_init(load).clone()
}

/// `ort` itself would panic at its first use if the library is missing. `init_from` answers instead, so nothing of `ort` is
/// touched before it has said yes.
fn load() -> Result<Runtime, String> {
    let named = std::env::var_os("ORT_DYLIB_PATH").filter(|v| !v.is_empty()).map(PathBuf::from);
    let candidates = match &named {
        Some(path) => vec![path.clone()],
        None => candidates(),
    };
    let mut why = Vec::new();
    for path in candidates {
        // A bare name is for the system's loader to find.
        let bare = path.components().count() == 1;
        if !bare && !path.is_file() {
            if named.is_some() {
                why.push(format!("ORT_DYLIB_PATH names {}, which is no file", path.display()));
            }
            continue;
        }
        // A relative path would be taken from the executable's folder.
        let path = if bare { path } else { path.canonicalize().unwrap_or(path) };
        match ort::init_from(&path) {
            Ok(builder) => {
                let built =
                    builder.with_name("framewright").with_telemetry(false).with_logger(std::sync::Arc::new(log));
                let environment = built.build().map_err(|e| e.to_string())?;
                log::info!("ONNX Runtime: {}", path.display());
                return Ok(Runtime { environment, path });
            }
            Err(ort::LoadDynamicError::Dlopen { .. }) if bare && named.is_none() => {}
            Err(e) => why.push(e.to_string()),
        }
    }
    if why.is_empty() {
        return Err(format!("no {LIBRARY} in {} nor among the system's", folders_text()));
    }
    Err(why.join("; "))
}

/// Passes its messages to the log, one level down: its warnings are about how a model was exported.
fn log(level: ort::logging::LogLevel, _: &str, _: &str, _: &str, message: &str) {
    use ort::logging::LogLevel;
    let level = match level {
        LogLevel::Fatal | LogLevel::Error => log::Level::Debug,
        _ => log::Level::Trace,
    };
    log::log!(target: "onnxruntime", level, "{message}");
}

/// Folders that `scripts/setup` or a package may have put the library into.
fn folders() -> Vec<PathBuf> {
    let mut folders = Vec::new();
    if let Some(data) = super::super::locate::data_home() {
        folders.push(data.join("framewright/lib"));
    }
    if let Ok(exe) = std::env::current_exe()
        && let Some(bin) = exe.parent()
    {
        folders.push(bin.to_owned());
        folders.push(bin.join("../lib/framewright"));
    }
    folders.push("/usr/local/lib/framewright".into());
    folders
}

fn folders_text() -> String {
    folders().iter().map(|f| f.display().to_string()).collect::<Vec<_>>().join(", ")
}

fn candidates() -> Vec<PathBuf> {
    let mut all: Vec<PathBuf> = folders().into_iter().map(|f| f.join(LIBRARY)).collect();
    // Distributions install the plain name with the development files only.
    all.extend([LIBRARY.into(), format!("{LIBRARY}.1").into()]);
    all
}

/// Why a session did not come about.
pub(super) enum OpenError {
    /// The chosen provider.
    Provider(String),
    /// The weights.
    Model(String),
}

/// A loaded network.
pub(super) struct Session {
    session: ort::session::Session,
    input: Vec<Option<usize>>,
    outputs: Vec<String>,
}

impl Session {
    pub(super) fn open(runtime: &Runtime, weights: &Weights, options: &Options) -> Result<Self, OpenError> {
        let model = |e: ort::Error| OpenError::Model(first_line(&e.to_string()));
        let set = |e: ort::Error<SessionBuilder>| OpenError::Model(first_line(&e.to_string()));
        let builder = ort::session::Session::builder(&runtime.environment).map_err(model)?;
        let builder = builder.with_optimization_level(GraphOptimizationLevel::Level3).map_err(set)?;
        let threads = options.threads.map_or_else(cores, |n| n as usize);
        let builder = builder.with_intra_threads(threads).map_err(set)?;
        // Threads that spin between two pictures would take the processor from decoder and encoder.
        let builder = builder.with_intra_op_spinning(false).map_err(set)?;
        let mut builder = provide(builder, options.provider).map_err(|e| {
            let name = options.provider.name();
            OpenError::Provider(format!(
                "provider {name} is not available in {} ({}): a build of ONNX Runtime with {name} is needed",
                runtime.path.display(),
                first_line(&e)
            ))
        })?;
        let session = match weights {
            Weights::File(path) => builder.commit_from_file(path),
            Weights::BuiltIn(bytes) => builder.commit_from_memory(bytes),
        };
        let session = session.map_err(model)?;
        let [input] = session.inputs() else {
            let names: Vec<&str> = session.inputs().iter().map(|i| i.name()).collect();
            return Err(OpenError::Model(format!("it has the inputs {}, and one is needed", names.join(", "))));
        };
        let input = match input.dtype() {
            ValueType::Tensor { ty: TensorElementType::Float32, shape, .. } => {
                shape.iter().map(|d| usize::try_from(*d).ok()).collect()
            }
            other => return Err(OpenError::Model(format!("its input is {other}, and 32-bit floats are needed"))),
        };
        let outputs = session.outputs().iter().map(|o| o.name().to_owned()).collect();
        Ok(Session { session, input, outputs })
    }
}

fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, |n| n.get())
}

fn provide(builder: SessionBuilder, provider: Provider) -> Result<SessionBuilder, String> {
    let chosen = match provider {
        Provider::Cpu => return Ok(builder),
        Provider::Cuda => ort::ep::CUDA::default().build(),
        Provider::Tensorrt => ort::ep::TensorRT::default().build(),
        Provider::Openvino => ort::ep::OpenVINO::default().build(),
    };
    builder.with_execution_providers([chosen.error_on_failure()]).map_err(|e| e.to_string())
}

fn first_line(text: &str) -> String {
    text.lines().next().unwrap_or_default().to_owned()
}

impl Engine for Session {
    fn name(&self) -> &'static str {
        "ONNX Runtime"
    }

    fn input(&self) -> &[Option<usize>] {
        &self.input
    }

    fn run(
        &mut self,
        data: &[f32],
        shape: [usize; 4],
        then: &mut dyn FnMut(&[Tensor<'_>]) -> Result<(), String>,
    ) -> Result<(), String> {
        let input = TensorRef::from_array_view((shape, data)).map_err(|e| e.to_string())?;
        let outputs = self.session.run(ort::inputs![input]).map_err(|e| first_line(&e.to_string()))?;
        let mut held = Vec::with_capacity(self.outputs.len());
        for (i, name) in self.outputs.iter().enumerate() {
            held.push(Held::of(name, &outputs[i])?);
        }
        let tensors: Vec<Tensor<'_>> = held.iter().map(Held::tensor).collect();
        then(&tensors)
    }
}

/// An output, whose numbers are borrowed where they are floats already.
struct Held<'a> {
    name: &'a str,
    shape: Vec<usize>,
    borrowed: &'a [f32],
    converted: Vec<f32>,
}

impl<'a> Held<'a> {
    fn of(name: &'a str, value: &'a DynValue) -> Result<Self, String> {
        let shape = |s: &ort::value::Shape| s.iter().map(|d| usize::try_from(*d).unwrap_or(0)).collect();
        if let Ok((s, data)) = value.try_extract_tensor::<f32>() {
            return Ok(Held { name, shape: shape(s), borrowed: data, converted: Vec::new() });
        }
        if let Ok((s, data)) = value.try_extract_tensor::<i64>() {
            let converted = data.iter().map(|v| *v as f32).collect();
            return Ok(Held { name, shape: shape(s), borrowed: &[], converted });
        }
        if let Ok((s, data)) = value.try_extract_tensor::<i32>() {
            let converted = data.iter().map(|v| *v as f32).collect();
            return Ok(Held { name, shape: shape(s), borrowed: &[], converted });
        }
        Err(format!("its output {name} is {}, and numbers of 32 or 64 bits are needed", value.dtype()))
    }

    fn tensor(&self) -> Tensor<'_> {
        let data = if self.converted.is_empty() { self.borrowed } else { &self.converted };
        Tensor { name: self.name, shape: &self.shape, data }
    }
}
