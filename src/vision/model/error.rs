//! Why a model cannot be used: each names the manifest and what to do.

use std::path::PathBuf;

use crate::failure::Failure;

/// Why a model cannot be used.
#[derive(Clone, Debug, thiserror::Error)]
#[allow(missing_docs)]
pub enum ModelError {
    #[error("there is no model `{name}`{hint}")]
    Unknown { name: String, hint: String },
    #[error("model manifest {path}: {what}", path = path.display())]
    Manifest { path: PathBuf, what: String },
    #[error("model {name}: its file {file} is not here; looked in {looked}")]
    Absent { name: String, file: String, looked: String, url: bool },
    #[error("model {name}: {path} is not the file that the manifest means: sha256 {found} instead of {wanted}", path = path.display())]
    Corrupt { name: String, path: PathBuf, found: String, wanted: String, url: bool },
    #[error("model {name}: {path} does not fit its manifest: {what}", path = path.display())]
    Mismatch { name: String, path: PathBuf, manifest: PathBuf, what: String },
    #[error("model {name}: {engine} cannot load {path}: {what}", path = path.display())]
    Load { name: String, path: PathBuf, engine: &'static str, what: String },
    #[error("model {name}: {what}")]
    NoEngine { name: String, what: String },
    #[error("model {name}: {what}")]
    Option { name: String, what: String },
    #[error("model {name}: {what}")]
    Failed { name: String, what: String },
}

impl ModelError {
    /// What to do about it.
    pub fn fix(&self) -> Option<String> {
        let fetch = |name: &str| format!("framewright models fetch {name}");
        Some(match self {
            ModelError::Unknown { .. } => "`framewright models list` lists them; a path to a manifest works too".into(),
            ModelError::Manifest { .. } => "docs/models.md describes the keys".into(),
            ModelError::Absent { name, url: true, .. } | ModelError::Corrupt { name, url: true, .. } => fetch(name),
            ModelError::Absent { file, .. } => {
                format!("put {file} beside the manifest or into a folder named in FRAMEWRIGHT_MODELS")
            }
            ModelError::Corrupt { .. } => "get the file anew, or correct the manifest's sha256".into(),
            ModelError::Mismatch { manifest, .. } => {
                format!(
                    "correct {} (docs/models.md describes the keys), or give the file that it means",
                    manifest.display()
                )
            }
            ModelError::Load { path, .. } => {
                format!("see that {} is a whole ONNX model; the other engine may take it (engine = …)", path.display())
            }
            ModelError::NoEngine { .. } => {
                "scripts/setup installs ONNX Runtime; ORT_DYLIB_PATH names a libonnxruntime.so elsewhere; \
                 engine = \"opencv\" does without"
                    .into()
            }
            ModelError::Option { .. } | ModelError::Failed { .. } => return None,
        })
    }

    /// Both in one line, for places that have no separate line for the fix.
    pub fn in_full(&self) -> String {
        match self.fix() {
            Some(fix) => format!("{self} (fix: {fix})"),
            None => self.to_string(),
        }
    }
}

impl From<ModelError> for Failure {
    fn from(e: ModelError) -> Self {
        let failure = match e {
            ModelError::Unknown { .. } | ModelError::Manifest { .. } | ModelError::Option { .. } => Failure::usage(&e),
            _ => Failure::failed(&e),
        };
        match e.fix() {
            Some(fix) => failure.fix(fix),
            None => failure,
        }
    }
}
